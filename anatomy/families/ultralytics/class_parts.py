"""The part of an Ultralytics network that has to do with its number of classes: read, made anew, kept, put back.

Of each level and branch a class stack ends in a convolution with a row for each class. Where several rows feed a class
(``rows_per_class``) it ends in a ``Sequential`` instead: that convolution, ``Unflatten`` into (classes, rows),
``MaxPool3d`` over the rows, ``Flatten``; torch's own layers, which any program opens and exports. Ultralytics' trainer
builds its network anew, with one row for each class: for it the ``Sequential`` says ``in_channels`` and
``out_channels``, and holds a ``weight`` and a ``bias`` that nothing else reads, the mean of each class's rows, from
which that training begins. Towers that stand side by side are a ``C3`` whose ``cv1`` and ``cv2`` are the towers.
"""

import weakref
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from ultralytics.nn.modules import C3
from ultralytics.nn.tasks import BaseModel

from ...head.classes import Classes, Rows
from .declared import DetectHead, detection_head, last_conv
from .layout import BRANCHES

OF_NETWORK = ("names", "yaml", "nc", "criterion", "class_weights", "kpt_names")
OF_HEAD = ("nc", "no")


def stacks(net: nn.Module) -> Iterator[tuple[tuple[str, int], nn.Sequential]]:
    """The class stacks of a network by (branch, level), those of removed branches left out."""
    head = detection_head(net)
    for branch, name in BRANCHES.items():
        for level, stack in enumerate(getattr(head, name, None) or ()):
            yield (branch, level), stack


def rows_per_class(head: DetectHead) -> int:
    """How many rows of the class convolutions feed one class; quick, as every edit asks."""
    parts = head._modules
    stacks = cast(nn.Module, parts.get("cv3") or parts.get("one2one_cv3"))
    return last_conv(cast(nn.Module, stacks._modules["0"])).out_channels // head.nc


def towers(stack: nn.Module) -> int:
    """How many towers stand side by side in a class stack."""
    first = next(stack.children())
    beside = isinstance(first, C3) and isinstance(first.cv3, nn.Identity)
    return 1 + towers(cast(nn.Module, first.cv1)) if beside else 1


def extras(net: nn.Module) -> dict[str, Tensor]:
    """What else has one row a class: weights of the classification loss, and the semantic maps of YOLO26's masks."""
    found = {}
    weights = vars(net).get("class_weights")
    if isinstance(weights, Tensor):
        found["class_weights"] = weights
    last = _semantic(net)
    if last is not None:
        found["semseg.weight"] = last.weight.detach()
        if last.bias is not None:
            found["semseg.bias"] = last.bias.detach()
    return found


@dataclass(frozen=True)
class Kept:
    """Of one network: attributes of it and of its head, the parts of its stacks, and the parameters of its rows."""

    net: weakref.ref
    of_network: dict[str, Any]
    of_head: dict[str, Any]
    parts: tuple[tuple[nn.Module, dict], ...]
    convs: tuple[tuple[nn.Conv2d, dict, int, int], ...]


def kept(net: nn.Module) -> Kept:
    """All that has to do with the classes of a network, by reference."""
    head = detection_head(net)
    convs = [last_conv(stack) for _, stack in stacks(net)]
    semantic = _semantic(net)
    convs += [] if semantic is None else [semantic]
    return Kept(
        net=weakref.ref(net),
        of_network=_attributes(net, OF_NETWORK),
        of_head=_attributes(head, OF_HEAD),
        parts=tuple((stack, dict(stack._modules)) for _, stack in stacks(net)),
        convs=tuple((conv, dict(conv._parameters), conv.in_channels, conv.out_channels) for conv in convs),
    )


def put_back(net: nn.Module, kept: Kept) -> None:
    """Put back the very objects, on the device and in the dtype that the network has by now."""
    for entry, names, values in ((net, OF_NETWORK, kept.of_network), (detection_head(net), OF_HEAD, kept.of_head)):
        for name in names:
            vars(entry).pop(name, None)
        vars(entry).update(values)
    for module, parts in kept.parts:
        module._modules.clear()
        module._modules.update(parts)
    for conv, parameters, inputs, outputs in kept.convs:
        now = conv.weight
        conv._parameters.clear()
        conv._parameters.update(parameters)
        conv.in_channels, conv.out_channels = inputs, outputs
        for value in parameters.values():
            if value is not None and (value.dtype, value.device) != (now.dtype, now.device):
                value.data = value.data.to(now)


def give(net: nn.Module, classes: Classes) -> None:
    """Make these the classes of a network; rows of branches that it has not are left out."""
    head = detection_head(net)
    for (branch, level), stack in stacks(net):
        while towers(stack) > classes.towers:
            _take_tower(stack)
        if towers(stack) < classes.towers:
            _put_beside(stack, classes.beside.class_stack(level, branch))
        _give_rows(stack, classes.rows[branch, level], len(classes.names), classes.rows_per_class)
    _name(net, classes.names)
    head.no += len(classes.names) - head.nc
    head.nc = len(classes.names)
    _give_extras(net, classes.extras)


def begin_trainings_at(net: nn.Module) -> None:
    """Make anew, of the rows as they are, those from which a training begins."""
    for _, stack in stacks(net):
        *_, last = stack
        if last is not last_conv(stack):
            _fill_beginning(cast(nn.Sequential, last))


def _name(net: Any, names: tuple[str, ...]) -> None:
    """Names, and what a network says of their number; its criterion is made anew when it is needed."""
    net.names = dict(enumerate(names))
    own = vars(net)
    if isinstance(own.get("yaml"), Mapping):
        net.yaml = {**own["yaml"], "nc": len(names)}
    if "nc" in own:
        net.nc = len(names)
    if own.get("criterion") is not None:
        net.criterion = None
    if own.get("kpt_names"):
        points = next(iter(own["kpt_names"].values()))
        net.kpt_names = dict.fromkeys(range(len(names)), points)


def _give_extras(net: Any, given: Mapping[str, Tensor]) -> None:
    if "class_weights" in given:
        net.class_weights = given["class_weights"]
    last = _semantic(net)
    if last is not None and "semseg.weight" in given:
        _set_rows(last, (given["semseg.weight"], given.get("semseg.bias")), in_place=False)


def _semantic(net: nn.Module) -> nn.Conv2d | None:
    """The last convolution of the semantic maps that YOLO26 trains its masks with; None where there is none."""
    last = getattr(getattr(detection_head(net), "proto", None), "semseg", None)
    return cast(nn.Conv2d, last[-1]) if isinstance(last, nn.Sequential) else None


def _attributes(entry: Any, names: tuple[str, ...]) -> dict:
    return {name: vars(entry)[name] for name in names if name in vars(entry)}


def _give_rows(stack: nn.Sequential, rows: Rows, count: int, each: int) -> None:
    conv = last_conv(stack)
    _set_rows(conv, rows)
    name = next(reversed(stack._modules))
    stack._modules[name] = conv if each == 1 else _maximum(conv, count, each)


def _set_rows(conv: nn.Conv2d, rows: Rows, *, in_place: bool = True) -> None:
    """Other parameters for the same module; those that have the shape already stay, ``in_place`` with other numbers."""
    for name, value in zip(("weight", "bias"), rows, strict=True):
        now = conv._parameters[name]
        if now is None or value is None or (not in_place and torch.equal(now, value.to(now))):
            continue
        if in_place and now.shape == value.shape:
            with torch.inference_mode(now.is_inference()), torch.no_grad():
                now.copy_(value)
            continue
        with torch.inference_mode(False):
            made = value.detach().to(now.device, now.dtype, copy=True)
            conv._parameters[name] = nn.Parameter(made, requires_grad=now.requires_grad)
    conv.out_channels, conv.in_channels = len(rows[0]), rows[0].shape[1] * conv.groups


def _maximum(conv: nn.Conv2d, count: int, each: int) -> nn.Sequential:
    """The end of a class stack of which several rows feed a class."""
    pool = nn.MaxPool3d((each, 1, 1))
    made: Any = nn.Sequential(conv, nn.Unflatten(1, (count, each)), pool, nn.Flatten(1, 2))
    made.in_channels, made.out_channels = conv.in_channels, count
    _fill_beginning(made)
    return made.train(conv.training)


@torch.no_grad()
def _fill_beginning(end: nn.Sequential) -> None:
    """The rows of a ``_maximum`` from which Ultralytics' trainer begins: the mean of each class's own."""
    conv, count = cast(nn.Conv2d, end[0]), vars(end)["out_channels"]
    for name, value in conv.named_parameters():
        mean = value.detach().unflatten(0, (count, -1)).mean(1)
        there = end._parameters.get(name)
        if there is not None:
            there.data = mean
        else:
            end.register_parameter(name, nn.Parameter(mean, requires_grad=False))  # no loss reaches it here


def _put_beside(stack: nn.Sequential, other: nn.Sequential) -> None:
    """Put the tower of another stack beside that of this one; rows are not looked at."""
    *tower, end = stack.children()
    pair: Any = C3.__new__(C3)
    nn.Module.__init__(pair)
    pair.cv1, pair.m = nn.Sequential(*tower), nn.Identity()
    pair.cv2, pair.cv3 = _like(nn.Sequential(*list(other.children())[:-1]), stack), nn.Identity()
    stack._modules.clear()
    stack._modules.update({"0": pair.train(stack.training), "1": end})


def _take_tower(stack: nn.Sequential) -> None:
    """Take away the tower that was put beside last."""
    pair, end = stack.children()
    tower = list(cast(nn.Sequential, cast(C3, pair).cv1).children())
    stack._modules.clear()
    stack._modules.update({str(place): module for place, module in enumerate([*tower, end])})


def _like(tower: nn.Sequential, stack: nn.Sequential) -> nn.Sequential:
    """A copy of a tower in the dtype, on the device and in the state (fused or not) of a stack."""
    made, now = deepcopy(tower), last_conv(stack).weight
    if not any(isinstance(module, nn.BatchNorm2d) for module in stack.modules()):
        whole = BaseModel()
        whole.model = nn.Sequential(made)
        whole.fuse(verbose=False)
    return made.to(now.device, now.dtype).requires_grad_(now.requires_grad)
