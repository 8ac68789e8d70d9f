"""A small genuine network, and checkpoints of it with something changed."""

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path

import torch
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel

DESCRIPTION = {
    "nc": 2,
    "reg_max": 4,
    "backbone": [[-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [8, 3, 2]], [-1, 1, "Conv", [8, 3, 2]]],
    "head": [
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 1], 1, "Concat", [1]],
        [-1, 1, "RepConv", [16, 16, 3, 1, 1, 1, 1, True, True]],
        [[5, 2], 1, "Detect", ["nc"]],
    ],
}


class Call:
    """Pickled as a call of ``function``."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class Written:
    """Pickled as an object of ``kind`` that is made with ``args`` and given ``state``."""

    def __init__(self, kind, *args, state=None):
        self.made = (kind, args, state) if state is not None else (kind, args)

    def __reduce__(self):
        return self.made


@cache
def _network() -> DetectionModel:
    torch.manual_seed(0)
    net = DetectionModel(deepcopy(DESCRIPTION), verbose=False).eval()
    net.args, net.task, net.names = {}, "detect", {0: "cat", 1: "dog"}
    return net


def network() -> DetectionModel:
    """A new copy: strides 4 and 8, two classes, 30 kB of weights."""
    return deepcopy(_network())


def save(path: Path, change: Callable[[DetectionModel], object] = lambda net: None, **entries) -> Path:
    """A checkpoint of the network after ``change(network)``, with further entries."""
    net = network().half()
    replaced = change(net)
    torch.save(
        {"epoch": -1, "model": net if replaced is None else replaced, "ema": None, "train_args": {}} | entries, path
    )
    return path


def attribute(path: Path, where: str, **values) -> Path:
    """A checkpoint in which the module at ``where`` has these attributes, set behind the back of torch."""
    return save(path, lambda net: vars(net.get_submodule(where)).update(values))


def child(path: Path, where: str, name, module) -> Path:
    """A checkpoint in which the module at ``where`` has one more child."""
    return save(path, lambda net: net.get_submodule(where)._modules.update({name: module}))


def raw_module(kind: type[nn.Module], **attributes) -> nn.Module:
    """A module whose constructor was not called: torch's own fields, and these."""
    module = kind.__new__(kind)
    nn.Module.__init__(module)
    vars(module).update(attributes)
    return module


def opened() -> YOLO:
    """The genuine network as Ultralytics holds it, for comparisons."""
    from anatomy.families.ultralytics.opening import wrap

    return wrap(network())
