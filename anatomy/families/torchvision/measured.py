"""The feature maps that a head reads, measured once a backbone, and the names of the levels that they make."""

import math
import weakref
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ...head.evaluating import evaluation_mode
from ...head.levels import Level, level_name
from ...head.turns import turns
from .declared import Detector

BRANCH = "one2many"

_shapes: weakref.WeakKeyDictionary[nn.Module, dict[tuple[int, int], tuple[tuple[int, int, int], ...]]]
_shapes = weakref.WeakKeyDictionary()  # of each backbone, by the size of its input


def maps(net: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The feature maps (B, c, h, w) that the head reads, by name, one a level."""
    made = cast(Detector, net).backbone(images)
    return {"0": made} if isinstance(made, Tensor) else dict(made)


def measured(net: nn.Module, size: tuple[int, int]) -> tuple[tuple[int, int, int], ...]:
    """(channels, rows, columns) of the map of each level, for an empty image of this (height, width) px."""
    known = _shapes.setdefault(cast(Detector, net).backbone, {})
    if size not in known:
        with torch.inference_mode(), turns(net).passes.held(), evaluation_mode(net):
            made = maps(net, next(net.parameters()).new_zeros(1, 3, *size))
        known[size] = tuple((level.shape[1], level.shape[2], level.shape[3]) for level in made.values())
    return known[size]


def levels(strides: list[float], channels: Sequence[int], paths: Sequence[str]) -> tuple[Level, ...]:
    """The levels of these strides, px, that read maps of ``channels``, with the path of each one's class rows.

    A stride that is no power of two goes by the nearest, or the next one where a finer level has its name: those of
    SSD300, 8, 16, 32, 64, 100 and 300, are P3 to P8. Where two have one stride, the second is P5b, and so on.
    """
    found = []
    for index, (stride, count, path) in enumerate(zip(strides, channels, paths, strict=True)):
        found.append(
            Level(
                index=index,
                name=_name(strides, index),
                stride=float(stride),
                in_channels=count,
                paths={BRANCH: path},
            )
        )
    return tuple(found)


def _name(strides: list[float], index: int) -> str:
    """The name of one of these levels, finest first."""
    rung = -math.inf
    for stride in sorted({*strides[: index + 1]}):
        rung = max(rung + 1, round(math.log2(stride)))
    twins = strides[:index].count(strides[index])
    return level_name(2**rung) + (chr(ord("a") + twins) if twins else "")
