"""Every layer of a network: shapes, parameters, multiply-adds, stride and receptive field, and where the cost lies."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..arguments import whole_number
from ..errors import UnsupportedModelError
from ..families.exports.network import Export
from ..families.registry import merge
from ..head.head import Head, children
from ..head.levels import level_name
from .layer import Layer
from .run import BrokenPass, Call, listen, network, shadow
from .table import LayerTable

OTHERS = (2, 4, 8, 16, 32, 64, 128)  # px: multiples tried for a size that fits, where no head names its strides


def layers(model: Any, imgsz: int | Sequence[int] | Tensor = 640, *, fused: bool = False) -> LayerTable:
    """Every layer of a model: group, shapes, parameters, multiply-adds, stride and theoretical receptive field.

    ``model``: a detector of any supported family, or any network or block that takes one image tensor. ``imgsz``: the
    side of the input in px, (height, width), or a tensor (B, C, H, W) or its shape, whose values, device and dtype do
    not matter. ``fused``: after merging what merges for inference (``anatomy.fused``), on a copy.

    Multiply-adds as torchinfo counts them: weights and bias of a convolution at every output position, of any other
    layer once an image; products of activations (attention) do not count. Nothing is computed and the model is not
    touched: a copy without memory, on the meta device, is run once. Raises ValueError, naming the layer and sizes that
    fit, for a size that the model cannot take.

    >>> anatomy.layers(model, 64)["model.0"].type
    'Conv'
    """
    net, head = network(model)
    if isinstance(net, Export):
        raise UnsupportedModelError(
            f"{net.path.name!r} is an exported file, whose layers are no modules. anatomy.equivalent(model, file, "
            "image) compares its convolutions with those of the model; layers takes the model itself."
        )
    shape = input_shape(net, imgsz)
    parts = _parts(net, head)
    calls, run = _run(net, head, shape, fused)
    return LayerTable(type(net).__name__, shape, tuple(_rows(run, calls, parts, shape)))


def input_shape(net: nn.Module, imgsz: int | Sequence[int] | Tensor) -> tuple[int, ...]:
    """(B, C, H, W) of the input; ValueError or TypeError for what is none."""
    if isinstance(imgsz, Tensor) and imgsz.ndim:
        imgsz = tuple(imgsz.shape)
    given = tuple(imgsz) if isinstance(imgsz, list | tuple | torch.Size) else (imgsz, imgsz)
    sides = tuple(whole_number(side, "Every side of the input") for side in given)
    if len(sides) not in (2, 4) or min(sides) < 1:
        raise ValueError(
            f"An input size must be a side in px, (height, width) or (B, C, H, W), at least 1, but {imgsz!r} was given."
        )
    if len(sides) == 4:
        return sides
    channels = next((module.in_channels for module in net.modules() if isinstance(module, nn.Conv2d)), 3)
    return (1, channels, *sides)


def _parts(net: nn.Module, head: Head | None) -> dict[str, str]:
    """Path prefixes and the group that each stands for."""
    return head.parts() if head is not None else children(net)


def _run(
    net: nn.Module, head: Head | None, shape: tuple[int, ...], fused: bool
) -> tuple[list[tuple[Call, int]], nn.Module]:
    """The calls of one pass, with the copy that made them: on the meta device, or, where an operation wants values,
    on the network's own."""
    try:
        return _measured(net, head, shape, _emptied, fused)
    except BrokenPass as error:
        broken = error
    if _wants_values(broken):
        try:
            return _measured(net, head, shape, Tensor.clone, fused)
        except BrokenPass as error:
            broken = error
    raise ValueError(
        f"{type(net).__name__} cannot take an input of {shape}. {broken} {_fitting(net, head, shape)}"
    ) from broken


def _emptied(value: Tensor) -> Tensor:
    return value.to("meta")


def _measured(
    net: nn.Module, head: Head | None, shape: tuple[int, ...], convert: Callable, fused: bool
) -> tuple[list[tuple[Call, int]], nn.Module]:
    """Each call with its multiply-adds, by torchinfo, and the copy of the network that was run."""
    import torchinfo

    copy = shadow(net, convert)
    held = next((value for value in copy.parameters() if value.is_floating_point()), torch.empty(0))
    if fused:
        with held.device:
            merge(copy, head)
    images = torch.zeros(shape, dtype=held.dtype, device=held.device)
    whole = _Whole(copy, head)

    def count(images: Tensor) -> list:
        return torchinfo.summary(whole, input_data=[images], verbose=0).summary_list

    calls, infos = listen(copy, count, images, follow=True)
    work: dict[int, list[int]] = {}
    for info in infos:
        if info.executed:
            work.setdefault(id(info.module), []).append(info.macs if info.is_leaf_layer else 0)
    turns = {key: iter(values) for key, values in work.items()}
    return [(call, next(turns[id(call.module)])) for call in calls], copy


def _wants_values(broken: BrokenPass) -> bool:
    """Whether a pass broke off because tensors on the meta device hold no values."""
    return isinstance(broken.reason, NotImplementedError) or "meta" in str(broken.reason).lower()


class _Whole(nn.Module):
    """The network as its head runs it on a batch, as one module."""

    def __init__(self, net: nn.Module, head: Head | None):
        super().__init__()
        self.net = net
        self.run = partial(type(head).call, net) if head is not None else net.__call__

    def forward(self, images: Tensor) -> Any:
        """What the head computes for a batch (B, C, H, W)."""
        return self.run(images)


def _fitting(net: nn.Module, head: Head | None, shape: tuple[int, ...]) -> str:
    """The sizes nearby that the network takes, found by trying."""
    for step in [int(max(level.stride for level in head.levels))] if head is not None else OTHERS:
        sizes = {_multiples(shape[2:], step, 0), _multiples(shape[2:], step, step - 1)}
        fitting = [size for size in sorted(sizes - {shape[2:]}) if _takes(net, head, (*shape[:2], *size))]
        if fitting:
            return f"Multiples of {step} px fit: {' or '.join(map(str, fitting))}."
    return "No size nearby fits either: the cause lies elsewhere, in the channels or in the model itself."


def _multiples(sides: tuple[int, ...], step: int, more: int) -> tuple[int, ...]:
    """Each side, with ``more`` px, cut to a multiple of ``step``, one step at least."""
    return tuple(max(side + more, step) // step * step for side in sides)


def _takes(net: nn.Module, head: Head | None, shape: tuple[int, ...]) -> bool:
    try:
        _measured(net, head, shape, _emptied, fused=False)
    except BrokenPass as error:
        return _wants_values(error)  # as far as shapes go
    return True


def _rows(run: nn.Module, calls: list[tuple[Call, int]], parts: dict[str, str], shape) -> Iterator[Layer]:
    """A row for every call of every module, and one for each that holds weights or called modules without a call."""
    by_path, within_call, below_path = _gathered(calls)
    counted: set[int] = set()
    for path, module in run.named_modules(remove_duplicate=False):
        held = list(module.parameters())
        if not held and path not in below_path:
            continue
        own = {id(value): value.numel() for value in module.parameters(recurse=False) if id(value) not in counted}
        counted |= own.keys()
        group = _group(path, parts)
        for call in by_path.get(path, [None]):
            yield Layer(
                path=path,
                type=type(module).__name__,
                group=group,
                level=_level(group, call, shape),
                depth=path.count(".") + 1 if path else 0,
                inputs=call.inputs if call else (),
                outputs=call.outputs if call else (),
                params=sum(value.numel() for value in held),
                own=0 if call and call.turn else sum(own.values()),
                multiply_adds=within_call[id(call)] if call else below_path[path],
                field=call.sees if call else None,
                stride=_stride(call, shape),
                sources=call.sources if call else (),
                turn=call.turn if call else 0,
                called=path in below_path,
                leaf=not any(True for _ in module.children()),
            )


def _gathered(calls: list[tuple[Call, int]]) -> tuple[dict[str, list[Call]], Counter[int], Counter[str]]:
    """The calls by path; the multiply-adds of all inside, by call and by path."""
    by_path: dict[str, list[Call]] = {}
    within_call, below_path = Counter(), Counter()
    for call, work in calls:
        by_path.setdefault(call.path, []).append(call)
        within = call
        while within is not None:
            within_call[id(within)] += work
            within = within.parent
        names = call.path.split(".") if call.path else []
        for depth in range(len(names) + 1):
            below_path[".".join(names[:depth])] += work
    return by_path, within_call, below_path


def _group(path: str, parts: dict[str, str]) -> str:
    """The group of the longest prefix that a path has."""
    known = [prefix for prefix in parts if path == prefix or path.startswith(prefix + ".")]
    return parts[max(known, key=len)] if known else ""


def _stride(call: Call | None, shape) -> float | None:
    """Px of the input from cell to cell of the first output; None where it is no grid."""
    if call is None or call.sees is None or (call.sees.whole and call.outputs[0][2:] == (1, 1)):
        return None
    if call.sees.stride[0] == call.sees.stride[1] and not call.sees.whole:
        return call.sees.stride[0]
    return shape[2] / call.outputs[0][2]


def _level(group: str, call: Call | None, shape) -> str | None:
    """The pyramid level of a layer: of the part of the head it is in, else by its stride, or that of what called it."""
    if group.startswith("head P"):
        return group.removeprefix("head ")
    while call is not None and (stride := _stride(call, shape)) is None:
        call = call.parent
    return level_name(stride) if call is not None and math.log2(stride).is_integer() else None
