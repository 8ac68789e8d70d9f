"""Outputs of an encoder as arrays a level, whatever way they are stored; and other ways in which they may be meant."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
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


@dataclass(frozen=True)
class Storage:
    """How one level's memory is meant: ``dims``, the axes in order; ``part``: the channels that were viewed apart.

    With ``part`` (a run of channels) the rest is as declared, and these were built as (row, column, channel) and
    viewed as (channel, row, column), or the other way round. ``viewed``: the order under which ``dims`` was viewed,
    where the axes were moved afterwards to those declared.
    """

    dims: str
    part: tuple[int, ...] = ()
    words: str = ""
    viewed: str = ""

    def unravel(self, index: np.ndarray, shape: dict[str, int], declared: str) -> dict[str, np.ndarray]:
        """Anchor, channel, row and column ("A", "C", "H", "W") of flat indices into a level of ``shape``."""
        dims = declared if self.part or self.viewed else self.dims
        found = dict(zip(dims, np.unravel_index(index, [shape[letter] for letter in dims]), strict=True))
        if self.viewed:
            flat = np.ravel_multi_index([found[d] for d in self.viewed], [shape[d] for d in self.viewed])
            return dict(zip(self.dims, np.unravel_index(flat, [shape[d] for d in self.dims]), strict=True))
        if self.part:
            inside = np.isin(found["C"], self.part)
            local = {**shape, "C": len(self.part)}
            parts = {letter: found[letter][inside] for letter in declared}
            parts["C"] = parts["C"] - self.part[0]
            flat = np.ravel_multi_index([parts[letter] for letter in declared], [local[d] for d in declared])
            moved = dict(zip(self.dims, np.unravel_index(flat, [local[d] for d in self.dims]), strict=True))
            moved["C"] = moved["C"] + self.part[0]
            for letter in declared:
                found[letter] = found[letter].copy()
                found[letter][inside] = moved[letter]
        return found

    def ravel(self, at: dict[str, np.ndarray], shape: dict[str, int], declared: str) -> np.ndarray:
        """Flat indices of anchors, channels, rows and columns that may be arrays of shapes that go together."""
        if not self.part:
            flat: Any = 0
            for letter in self.dims:
                flat = flat * shape[letter] + at[letter]
            if not self.viewed:
                return flat
            seen = dict(zip(self.viewed, np.unravel_index(flat, [shape[d] for d in self.viewed]), strict=True))
            return np.asarray(np.ravel_multi_index([seen[d] for d in declared], [shape[d] for d in declared]))
        a, c, h, w = np.broadcast_arrays(at["A"], at["C"], at["H"], at["W"])
        parts = {"A": a, "C": c, "H": h, "W": w}
        plain = np.ravel_multi_index([parts[d] for d in declared], [shape[d] for d in declared])
        inside = np.isin(c, self.part)
        local = {**shape, "C": len(self.part)}
        mine = {letter: value[inside] for letter, value in parts.items()}
        mine["C"] = mine["C"] - self.part[0]
        flat = np.ravel_multi_index([mine[d] for d in self.dims], [local[d] for d in self.dims])
        back = dict(zip(declared, np.unravel_index(flat, [local[d] for d in declared]), strict=True))
        back["C"] = back["C"] + self.part[0]
        plain = plain.copy()
        plain[inside] = np.ravel_multi_index([back[d] for d in declared], [shape[d] for d in declared])
        return plain


def storages(layout: TargetLayout, channels: int) -> list[Storage]:
    """The declared storage first, then other orders of the axes, then parts that were viewed apart."""
    declared, names = order(layout), {"A": "anchor", "C": "channel", "H": "row", "W": "column"}
    found = [Storage(declared)]
    several = layout.anchor_count > 1
    for dims in map("".join, permutations("ACHW")):
        alike = (dims if several else dims.replace("A", "")) == (declared if several else declared.replace("A", ""))
        if alike or (not several and dims.index("A") != 0):
            continue
        said = " ".join(names[d] for d in (dims if several else dims.replace("A", "")))
        found.append(Storage(dims, words=f"memory is ordered by {said}, and viewed as {layout.axes}"))
    told: list[list[str]] = []
    for dims, viewed in (("AHWC", "ACHW"), ("HWAC", "ACHW"), ("ACHW", "AHWC"), ("ACHW", "HWAC")):
        plain = [axes if several else axes.replace("A", "") for axes in (dims, viewed, declared)]
        if plain[1] != plain[2] and plain[0] != plain[1] and (several or plain not in told):
            told.append(plain)
            said = [" ".join(names[d] for d in axes) for axes in plain[:2]]
            words = f"memory is ordered by {said[0]}, and viewed as {said[1]} before its axes are moved"
            found.append(Storage(dims, words=words, viewed=viewed))
    inner = "AHWC" if declared.index("C") < declared.index("H") else "ACHW"
    classes, box = tuple(layout.class_channels), tuple(layout.box)
    runs = [("the class channels", classes), ("the box channels", box), ("the first two box channels", box[:2])]
    if layout.objectness is not None:
        runs.append(("class and objectness channels", tuple(sorted((layout.objectness, *classes)))))
    for name, run in runs:
        if len(run) > 1 and run == tuple(range(run[0], run[0] + len(run))):
            how = "(row, column, channel) and viewed as (channel, row, column)"
            how = how if inner == "AHWC" else "(channel, row, column) and viewed as (row, column, channel)"
            found.append(Storage(inner, run, f"{name} are built as {how}"))
    return found
