"""How outputs are stored, from their shapes alone: which axes are rows and columns, and the strides that follow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch

from ..layout import TargetLayout

USUAL = (2, 4, 8, 16, 32, 64, 128)
MOST_ANCHORS = 15


@dataclass(frozen=True)
class Form:
    """``axes`` as in a layout, ``strides`` px, anchors a cell, channels of one."""

    axes: str
    strides: tuple[float, ...]
    anchors: int
    channels: int

    def layout(self) -> TargetLayout:
        """A layout that reads outputs of this form, with nothing said of channels or priors."""
        priors = [[(float(stride), float(stride))] * self.anchors for stride in self.strides]
        return TargetLayout(
            objectness=None,
            classes=range(4, self.channels),
            strides=self.strides,
            axes=self.axes,
            anchors=priors if self.anchors > 1 else None,
        )


def forms(
    outs: Sequence[Any], sizes: Sequence[tuple[int, int]], strides: Sequence[float] | None, classes: int | None
) -> list[Form]:
    """The forms that fit the outputs of images of all ``sizes``, the likeliest first."""
    if any(len(shape) < 2 for out in outs for shape in _levels(out)) or not all(map(_levels, outs)):
        return []
    if (isinstance(outs[0], (list, tuple)) and len(outs[0]) > 1) or _is_level(outs[0], sizes[0]):
        found = list(_by_level([_levels(out) for out in outs], sizes, strides, classes))
    else:
        found = list(_flat([_levels(out)[0] for out in outs], sizes, strides))
    return list(dict.fromkeys(found))


def _levels(out: Any) -> list[tuple[int, ...]]:
    """The shape of each level."""
    levels = out if isinstance(out, (list, tuple)) else [out]
    return [tuple(level.shape) for level in levels if isinstance(level, (torch.Tensor, np.ndarray))]


def _is_level(out: Any, size: tuple[int, int]) -> bool:
    """Whether a single array has axes of rows and columns."""
    shapes = _levels(out)
    return len(shapes) == 1 and len(shapes[0]) > 2 and bool(_grids(shapes[0], size))


def _grids(shape: tuple[int, ...], size: tuple[int, int]) -> list[tuple[int, float]]:
    """Where rows, with columns after them, may stand in a shape; and the stride."""
    found = []
    for at in range(len(shape) - 1):
        stride = size[0] / max(shape[at], 1)
        if shape[at] and round(size[1] / stride) == shape[at + 1] and stride >= 1:
            found.append((at, stride))
    return found


def _by_level(shapes: Sequence[list], sizes, strides, classes) -> Iterator[Form]:
    common = [set(_grids(shapes[0][0], sizes[0]))]
    for one, size in zip(shapes[1:], sizes[1:], strict=True):
        common.append(set(_grids(one[0], size)))
    for at, _ in sorted(set.intersection(*common)):
        found = [dict(_grids(level, sizes[0])).get(at) for level in shapes[0]]
        if None not in found:
            yield from _named(shapes[0][0], at, tuple(strides or (_whole(s) for s in found if s)), classes)
    if not set.intersection(*common) and len(shapes[0][0]) - (shapes[0][0][0] == 1) == 2:
        yield from _listed(shapes, sizes, strides)


def _named(shape: tuple[int, ...], at: int, strides: tuple[float, ...], classes: int | None) -> Iterator[Form]:
    """The names of axes of one level, rows at ``at``."""
    before, after, lead = shape[:at], shape[at + 2 :], ""
    if before and before[0] == 1 and len(shape) > 3:
        before, lead = before[1:], "B"
    letters = {(1, 0): "CHW", (0, 1): "HWC", (2, 0): "ACHW", (1, 1): "AHWC", (0, 2): "HWAC"}
    axes = letters.get((len(before), len(after)))
    rest = (*before, *after)
    if axes is None:
        return
    if len(rest) == 2:
        yield Form(lead + axes, strides, rest[0], rest[1])
        return
    yield Form(lead + axes, strides, 1, rest[0])
    for count in range(2, MOST_ANCHORS + 1):
        if rest[0] % count == 0 and rest[0] // count >= 5 and (classes is None or rest[0] // count - classes in (4, 5)):
            yield Form(lead + ("AC,H,W" if axes == "CHW" else axes), strides, count, rest[0] // count)


def _listed(shapes, sizes, strides) -> Iterator[Form]:
    """A flat array a level."""
    lead = "B" if len(shapes[0][0]) == 3 else ""
    counts = [level[-2] for level in shapes[0]]
    for count in range(1, MOST_ANCHORS + 1):
        found = [(sizes[0][0] * sizes[0][1] * count / n) ** 0.5 for n in counts]
        if all(abs(s - round(s)) < 1e-6 for s in found) and (strides is None or list(strides) == found):
            yield Form(f"{lead}LNC", tuple(_whole(s) for s in found), count, shapes[0][0][-1])


def _flat(shapes, sizes, strides) -> Iterator[Form]:
    """One array over all levels."""
    lead = "B" if len(shapes[0]) == 3 else ""
    options = [tuple(strides)] if strides else _runs()
    for levels in options:
        cells = [sum(-(-h // s) * -(-w // s) for s in levels) for h, w in sizes]
        counts = {shape[-2] / n for shape, n in zip(shapes, cells, strict=True)}
        count = counts.pop()
        if not counts and count == int(count) and 1 <= count <= MOST_ANCHORS:
            yield Form(f"{lead}NC", tuple(levels), int(count), shapes[0][-1])


def _runs() -> list[tuple[int, ...]]:
    """Strides that follow one another, those of three and five levels from 8 first."""
    runs = [USUAL[i:j] for i, j in combinations(range(len(USUAL) + 1), 2)]
    return sorted(runs, key=lambda run: (run not in ((8, 16, 32), (8, 16, 32, 64, 128), (32,)), run[0] != 8, len(run)))


def _whole(stride: float) -> float:
    return int(stride) if stride == int(stride) else stride
