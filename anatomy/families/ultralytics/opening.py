"""Ultralytics checkpoints opened: read once, checked, and put into modules made here; nothing of the file runs."""

import os
import pickle
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from ultralytics import RTDETR, YOLO, YOLOE, YOLOWorld
from ultralytics.nn.autobackend import check_class_names
from ultralytics.nn.modules import Detect, WorldDetect, YOLOEDetect
from ultralytics.nn.tasks import BaseModel, RTDETRDetectionModel, WorldModel, YOLOEModel, guess_model_task
from ultralytics.utils import DEFAULT_CFG_DICT
from ultralytics.utils.callbacks import get_default_callbacks

from ...archive import open_archive, read_program
from ...errors import CheckpointError
from .declared import Network, Yolo
from .modules import Builder
from .rehearsal import rehearse
from .yaml import check_yaml

KINDS = ((RTDETRDetectionModel, RTDETR), (WorldModel, YOLOWorld), (YOLOEModel, YOLOE), (nn.Module, YOLO))
TASKS = {"detect", "segment", "semantic", "depth", "classify", "pose", "obb"}
NOT_WHOLE = (TypeError, RuntimeError, EOFError, KeyError, ValueError, IndexError, AttributeError, ImportError)
NOT_WHOLE += (pickle.UnpicklingError, zipfile.BadZipFile)  # what torch.load and Ultralytics raise for other files
LARGEST_IMAGE = 16_384  # px
Refusal = Callable[[str], Exception]  # the error for a file of which this is so
REMEMBERED = ("imgsz", "data", "task", "single_cls")  # of the training's settings, as `Model._reset_ckpt_args` keeps


def open_checkpoint(path: str | os.PathLike, *, trusted: bool = False) -> Yolo:
    """The YOLO object of exactly this file; see ``anatomy.open_checkpoint``."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"A checkpoint is given by its path, but {type(path).__name__} was given.")
    if not isinstance(trusted, bool):
        raise TypeError(f"trusted must be True or False, but {trusted!r} ({type(trusted).__name__}) was given.")
    path = Path(path)
    if path.suffix != ".pt":
        raise CheckpointError(f"A checkpoint must end in .pt for Ultralytics to open it, but {path.name!r} was given.")
    return _open_trusted(path) if trusted else _open_checked(path)


def wrap(net: nn.Module, **attributes: Any) -> Yolo:
    """A YOLO object around a network, as ``YOLO(path)`` would have made it; ``attributes`` are its own."""
    kind = next(owner for kind, owner in KINDS if isinstance(net, kind))
    yolo = cast(Yolo, kind.__new__(kind))
    nn.Module.__init__(yolo)
    task = getattr(net, "task", None) or guess_model_task(net)
    blank: dict[str, Any] = dict.fromkeys(("predictor", "trainer", "cfg", "ckpt_path", "metrics", "model_name"))
    blank |= {"callbacks": get_default_callbacks(), "ckpt": {}, "task": task}
    blank["overrides"] = {"task": task, "model": type(net).__name__}
    yolo.__dict__.update(blank | attributes)
    yolo.model = net
    del yolo.training  # as Model.__init__ does, so that .training is the network's
    return yolo


def _open_checked(path: Path) -> Yolo:
    with open_archive(path) as archive:
        program = read_program(archive.pickle, path)
        builder = Builder(archive)
        builder.reader.check_names(program)
        entries = program.root
        if type(entries) is not dict or not ({"model", "ema"} & set(entries)):
            raise CheckpointError(f"{str(path)!r} holds no Ultralytics model that can be opened.{_other(entries)}")
        if entries.get("modelopt"):
            raise builder.reader.refusal("needs the package modelopt to be made whole")
        kept = {name: value for name, value in entries.items() if name not in ("model", "ema")}
        ckpt = builder.reader.value(kept)
        candidate = entries.get("ema") or entries.get("model")
        net = builder.reader.value(candidate)
    if not isinstance(net, BaseModel):
        what = type(net).__name__ if net is not None else "nothing"
        raise CheckpointError(f"{str(path)!r} holds no Ultralytics model that can be opened, but {what}.")
    ckpt |= {"model": None, "ema": None, "ema" if entries.get("ema") else "model": net}
    settings = ckpt.get("train_args")
    whole = cast(Network, net)
    _finish(whole, path, settings if isinstance(settings, dict) else {}, archive.size, builder.reader.refusal)
    _check_settings(whole.args, builder.reader.refusal)
    return _owner(whole, ckpt, path)


def _finish(net: Network, path: Path, settings: dict, size: int, refusal: Refusal) -> None:
    """What ``ultralytics.nn.tasks.load_checkpoint`` does to a network that it has read, and checks on what it says."""
    layers = getattr(net, "model", None)
    if not isinstance(layers, nn.Sequential) or not len(layers):
        raise refusal("holds a network without layers")
    if not isinstance(getattr(net, "stride", None), torch.Tensor):
        net.stride = torch.tensor([32.0])
    net.names = _names(net, refusal)
    check_yaml(getattr(net, "yaml", None), refusal)
    try:
        net.float()
    except NOT_WHOLE as error:
        raise refusal(f"holds a network that is not whole ({error})") from error
    task = getattr(net, "task", None)
    if type(task) is not str or task not in TASKS:
        vars(net).pop("args", None)  # by which it would be guessed, true or not; its head says
        net.task = guess_model_task(net)
    net.args = {**DEFAULT_CFG_DICT, **settings}
    net.pt_path = str(path)
    net.eval()
    for module in net.modules():
        if "inplace" in vars(module):
            vars(module)["inplace"] = True
    rehearse(net, size, refusal)


def _names(net: Network, refusal: Refusal) -> dict[int, str]:
    """The class names by number, one for each class of a head whose rows are classes."""
    try:
        names = check_class_names(net.names)
        whole = isinstance(names, dict) and sorted(names) == list(range(len(names)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise refusal(f"names its classes wrongly ({error})") from error
    head = net.model[-1]
    rows = isinstance(head, Detect) and not isinstance(head, WorldDetect | YOLOEDetect)
    if not whole or (rows and getattr(head, "nc", None) != len(names)):
        raise refusal(f"names its classes wrongly ({len(names)} names for {getattr(head, 'nc', 'no')} classes)")
    return names


def _check_settings(settings: dict, refusal: Refusal) -> None:
    """What later calls take from the checkpoint, unless they are told otherwise."""
    sides = settings["imgsz"] if isinstance(settings["imgsz"], list | tuple) else [settings["imgsz"]]
    if not 1 <= len(sides) <= 2 or any(type(side) is not int or not 1 <= side <= LARGEST_IMAGE for side in sides):
        raise refusal("was trained on images of no known size (imgsz)")
    if settings["single_cls"] is not None and not isinstance(settings["single_cls"], bool | int):
        raise refusal("says what no setting can be (single_cls)")


def _owner(net: Network, ckpt: dict, path: Path) -> Yolo:
    """The YOLO object, with the settings that ``Model._load`` gives it."""
    settings = {name: value for name, value in net.args.items() if name in REMEMBERED}
    if not isinstance(settings["data"], str) or "://" in settings["data"]:
        settings["data"] = None  # an address would be fetched later, at the first use
    net.args = settings | {"model": str(path), "task": net.task}
    return wrap(net, ckpt=ckpt, ckpt_path=str(path), model_name=str(path), task=net.task, overrides=net.args)


def _open_trusted(path: Path) -> Yolo:
    """``YOLO(path)``, which may run any code of the file; by a link, as it changes some paths before it opens them."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint {str(path)!r} (working folder: {Path.cwd()}).")
    with tempfile.TemporaryDirectory(prefix="checkpoint-") as folder:
        link = Path(folder) / "checkpoint.pt"
        link.symlink_to(path.resolve())
        try:
            yolo = cast(Yolo, YOLO(str(link)))
        except NOT_WHOLE as error:
            raise CheckpointError(f"{str(path)!r} holds no Ultralytics model that can be opened: {error}") from error
    yolo.ckpt_path = yolo.model_name = yolo.overrides["model"] = yolo.model.pt_path = str(path)
    return yolo


def _other(entries: Any) -> str:
    if type(entries) is dict and type(entries.get("format")) is str and len(entries["format"]) < 60:
        return f" Its format is {entries['format']!r}: give the opener of that family."
    return ""
