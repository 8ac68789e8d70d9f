"""Which family of detectors reads a model. The families are the packages beside this file, found by looking.

Each says in its ``__init__``, which loads no foreign library: ``HOMES``, where the classes of its models and modules
are defined, and ``load_head(model)``, the class that describes the head of such a model.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from os import PathLike
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from torch import nn

from ..errors import UnsupportedModelError
from ..head.head import Head
from .exports.network import Export
from .exports.preprocessing import Preprocessing


@cache
def families() -> tuple[ModuleType, ...]:
    """The families that there are, each as its package."""
    here = __package__
    beside = iter_modules([str(Path(__file__).parent)])
    return tuple(import_module(f"{here}.{entry.name}") for entry in beside if entry.ispkg)


def family(model: Any) -> type[Head] | None:
    """The class that describes models such as this one, or modules such as they are made of; None: no known family."""
    homes = tuple(kind.__module__ for kind in type(model).__mro__)
    for entry in families():
        if any(home.startswith(entry.HOMES) for home in homes):
            return entry.load_head(model)
    return None


def describe(model: Any) -> Head:
    """The description of a model's head.

    ``model`` is a YOLO object, its ``.model``, torchvision's FCOS, RetinaNet, SSD or Faster R-CNN, or any detector
    whose ``describe_head()`` returns a ``Head``.
    Raises UnsupportedModelError, with the reason and what works, for a model whose boxes no cell of a level makes.

    >>> anatomy.describe(model).branches
    ('one2many',)
    """
    if describes_itself(model):
        return model.describe_head()
    found = family(model)
    if found is not None:
        return found(model)  # pyright: ignore[reportCallIssue]  # each family's own head is made of a model
    raise UnsupportedModelError(
        f"{type(model).__name__} is no detector that the workbench knows: it takes an Ultralytics YOLO object, its "
        "`.model`, torchvision's FCOS, RetinaNet, SSD or Faster R-CNN, an exported file (`anatomy.open_export`), or a "
        "detector with a `describe_head()` method. Consider `YOLO('yolov8n.pt')`."
    )


def describes_itself(model: Any) -> bool:
    """Whether a model has a ``describe_head()`` of its own."""
    return callable(getattr(type(model), "describe_head", None))


def plain_network(model: Any) -> Any:
    """The network of a model object, detector or not; what is neither a module nor known to hold one comes back."""
    if describes_itself(model) and not isinstance(model, nn.Module):
        return model.describe_head().net
    return (family(model) or Head).network(model)


def merge(net: nn.Module, head: Head | None = None) -> nn.Module:
    """Merge a network or block in place: as the head says, else as the family of its modules does it.

    Raises UnsupportedModelError where nothing can be merged.
    """
    if head is not None and type(head).fuse is not Head.fuse:
        return type(head).fuse(net)
    known = (family(module) or Head for module in net.modules())
    return next((found for found in known if found.fuse is not Head.fuse), Head).fuse(net)


def open_checkpoint(path: str | PathLike, *, trusted: bool = False) -> Any:
    """A YOLO object from exactly this ``.pt`` file; nothing of the file runs unless ``trusted``.

    The file is read once, as values alone; its tensors and plain attributes are put into modules made here, of classes
    of torch and Ultralytics. Raises FileNotFoundError, and CheckpointError (a ValueError) for a file that is no whole
    checkpoint, or that asks for more: the message names what. ``trusted`` opens it as ``YOLO(path)`` does, which runs
    whatever the file asks for.
    """
    from . import ultralytics

    return ultralytics.open_checkpoint(path, trusted=trusted)


def open_export(
    path: str | PathLike,
    *,
    names: Sequence[str] | Mapping[int, str] | None = None,
    preprocessing: Preprocessing | None = None,
    strides: Sequence[int] | None = None,
    trusted: bool = False,
) -> Export:
    """An exported detector, from exactly this file: ONNX, TorchScript, or OpenVINO where its package is installed.

    It is a model as any other: ``trace``, ``stream``, ``levels``, ``compare``, ``equivalent``, surveys and figures take
    it. An ONNX graph is looked into: logits before the sigmoid, raw box outputs, and the indices of what it selects by
    itself, so that every detection has its level, row and column, whether NMS is in the graph or not; of the other
    formats the outputs alone are seen. Class rows that are stored as they are can be edited, and ``surgery.save``
    writes a new file.

    ``names`` of the classes and ``strides`` in px where the file does not say them; ``preprocessing``: how images
    become its input, as Ultralytics' ``predict()`` does it unless told otherwise. Raises FileNotFoundError;
    CheckpointError (a ValueError) for a file that is empty, cut short, of an opset too new, without its weights, or
    that names files outside of its folder; UnsupportedModelError for what is no detector. Nothing of a file runs before
    the first pass. TorchScript files are programs, which may run when they are opened: they need ``trusted``.
    """
    try:
        from .exports.opening import open_export as opened
    except ImportError as error:
        raise ImportError(
            "Exports are opened with the packages onnx and onnxruntime: pip install 'detector-workbench[exports]'."
        ) from error

    return opened(path, names=names, preprocessing=preprocessing, strides=strides, trusted=trusted)
