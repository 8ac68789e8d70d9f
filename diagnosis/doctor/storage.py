"""Outputs of an encoder as arrays a level, whatever way they are stored."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from .layout import AXES, TargetLayout

DIMS = {"CHW": "ACHW", "HWC": "HWAC", "AC,H,W": "ACHW", "NC": "HWAC", "LNC": "HWAC"}
"""The order of anchor, channel, row, column in memory, where the name of the axes does not say it."""


class Misfit(Exception):
    """Outputs that are not of the declared kind or shape."""


def order(layout: TargetLayout) -> str:
    """The four axes in the order of memory, like "HWAC"."""
    axes = layout.axes.removeprefix("B")
    return DIMS.get(axes, axes)


def grid_of(image_size: Sequence[int], stride: float) -> tuple[int, int]:
    """Rows and columns of the grid of an image (height, width); a part of a cell at its end is one."""
    height, width = image_size
    return int(-(-height // stride)), int(-(-width // stride))


def arrays(
    out: object, layout: TargetLayout, image_size: Sequence[int], *, coarse_first: bool = False
) -> list[np.ndarray]:
    """A level: the array with its four axes in the order of memory; Misfit says why it cannot be read.

    ``coarse_first``: one array for all levels holds the last level first.
    """
    axes = layout.axes.removeprefix("B")
    if axes == "NC":
        return _flat(out, layout, image_size, coarse_first)
    wanted = len(layout.strides)
    if not isinstance(out, (list, tuple)) or not all(isinstance(level, (torch.Tensor, np.ndarray)) for level in out):
        raise Misfit(f"a sequence of tensors is needed, one a level, but {type(out).__name__} came")
    if len(out) != wanted:
        raise Misfit(f"{wanted} levels are declared (strides {layout.strides}), but {len(out)} came")
    return [_level(level, index, layout, image_size) for index, level in enumerate(out)]


def _level(level: Any, index: int, layout: TargetLayout, image_size: Sequence[int]) -> np.ndarray:
    axes = layout.axes.removeprefix("B")
    array = as_array(level)
    if layout.axes.startswith("B"):
        if not array.ndim or len(array) != 1:
            raise Misfit(f"level {index}: a batch of one is declared, but the shape is {array.shape}")
        array = array[0]
    letters = axes.replace(",", "") if axes != "AC,H,W" else "CHW"
    letters = "NC" if axes == "LNC" else letters
    if array.ndim != len(letters):
        raise Misfit(f"level {index}: {letters} is declared, but a tensor of shape {tuple(level.shape)} came")
    shape = dict(zip(letters, array.shape, strict=True))
    count, channels = layout.anchor_count, shape["C"]
    if axes in ("CHW", "AC,H,W", "HWC"):
        shape["A"], (shape["C"], rest) = count, divmod(channels, count)
    else:
        rest = shape.setdefault("A", count) != count
    if "N" in shape:
        shape["H"], shape["W"] = grid_of(image_size, layout.strides[index])
        rest = rest or shape["N"] != count * shape["H"] * shape["W"]
    if rest or shape["C"] < layout.channels:
        last = " The channels seem to come last." if axes == "CHW" and array.shape[-1] >= layout.channels else ""
        raise Misfit(
            f"level {index}: {layout.channels} channels for each of {count} anchors a cell are declared, but "
            f"{tuple(level.shape)} came for an image of {tuple(image_size)}.{last}"
        )
    if min(shape["H"], shape["W"]) < 1:
        raise Misfit(f"level {index}: the grid has no cells, {tuple(level.shape)}")
    return np.ascontiguousarray(array).reshape([shape[letter] for letter in order(layout)])


def _flat(out: Any, layout: TargetLayout, image_size: Sequence[int], coarse_first: bool) -> list[np.ndarray]:
    """Levels of one array (N, C)."""
    if isinstance(out, (list, tuple)) and len(out) == 1:
        out = out[0]
    if not isinstance(out, (torch.Tensor, np.ndarray)):
        raise Misfit(f"one array (N, C) over all levels is needed, but {type(out).__name__} came")
    shape, array = tuple(out.shape), as_array(out)
    array = array[0] if layout.axes.startswith("B") and array.ndim == 3 and len(array) == 1 else array
    turn = -1 if coarse_first else 1
    grids = [grid_of(image_size, stride) for stride in layout.strides][::turn]
    ends = np.cumsum([layout.anchor_count * rows * columns for rows, columns in grids])
    if array.ndim != 2 or len(array) != ends[-1] or array.shape[1] < layout.channels:
        raise Misfit(
            f"({ends[-1]}, {layout.channels}) is declared for an image of {tuple(image_size)}, but an array of shape "
            f"{shape} came"
        )
    parts = np.split(np.ascontiguousarray(array), ends[:-1])
    found = [part.reshape(*grid, layout.anchor_count, -1) for part, grid in zip(parts, grids, strict=True)]
    return found[::turn]


def as_array(level: Any) -> np.ndarray:
    """A tensor or array as a float array that shares its memory where it can."""
    if isinstance(level, torch.Tensor):
        level = level.detach().cpu()
        level = (level.float() if level.dtype in (torch.bfloat16, torch.float16) else level).numpy()
    return level if level.dtype in (np.float32, np.float64) else level.astype(np.float64)


def is_integer(level: Any) -> bool:
    """Whether a tensor or array holds whole numbers by its type."""
    if isinstance(level, torch.Tensor):
        return not level.dtype.is_floating_point
    return bool(np.issubdtype(level.dtype, np.integer))


def advice(out: object, layout: TargetLayout, image_size: Sequence[int]) -> str:
    """Other ``axes`` under which these outputs could be read, in words; empty where there are none."""
    fitting = []
    for axes in (*AXES, *(f"B{axes}" for axes in AXES)):
        try:
            found = arrays(out, replace(layout, axes=axes), image_size)
        except Misfit:
            continue
        where = [order(replace(layout, axes=axes)).index(letter) for letter in "HW"]
        grids = [tuple(array.shape[i] for i in where) for array in found]
        if grids == [grid_of(image_size, stride) for stride in layout.strides]:
            fitting.append(axes)
    return f" They could be read with axes={fitting[0]!r}." if fitting else ""
