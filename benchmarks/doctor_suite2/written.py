"""Outputs that hold known objects, spelled out from a declaration alone."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

USUAL = {
    "relative": False,
    "objectness": 4,
    "grid_offset": 0.5,
    "size_unit": None,
    "size_function": "identity",
    "anchors": None,
    "axes": "CHW",
    "class_values": "one_hot",
    "num_classes": None,
}
STORED = {
    "identity": lambda v: v,
    "log": lambda v: math.log(max(v, 1e-6)),
    "sqrt": lambda v: math.sqrt(max(v, 0.0)),
    "square": lambda v: v * v,
}


@dataclass(frozen=True)
class Thing:
    """An object that was written: its image, its box xyxy px, its class."""

    image: int
    box: np.ndarray
    label: int


def said(**words: Any) -> SimpleNamespace:
    """A declaration with what it leaves out."""
    return SimpleNamespace(**{**USUAL, **words})


def numbers(box: np.ndarray, layout: Any, size: tuple[int, int], place: tuple[int, int, int, int]) -> list[float]:
    """Four numbers that mean this box at (level, anchor, row, column)."""
    level, anchor, row, col = place
    stride = layout.strides[level]
    px, py = (col + layout.grid_offset) * stride, (row + layout.grid_offset) * stride
    prior = layout.anchors[level][anchor] if layout.anchors else (stride, stride)
    units = {"px": (1, 1), "stride": (stride, stride), "normalized": (size[1], size[0]), "prior": prior}
    (ux, uy), (sx, sy) = units[layout.unit], units[layout.size_unit or layout.unit]
    stored = STORED[layout.size_function]
    x1, y1, x2, y2 = (float(side) for side in box)
    if layout.format == "ltrb":
        return [stored(v) for v in ((px - x1) / ux, (py - y1) / uy, (x2 - px) / ux, (y2 - py) / uy)]
    x0, y0 = (px, py) if layout.relative else (0, 0)
    if layout.format == "xyxy":
        return [(x1 - x0) / ux, (y1 - y0) / uy, (x2 - x0) / ux, (y2 - y0) / uy]
    if layout.format == "xywh":
        return [(x1 - x0) / ux, (y1 - y0) / uy, stored((x2 - x1) / sx), stored((y2 - y1) / sy)]
    cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
    return [(cx - x0) / ux, (cy - y0) / uy, stored((x2 - x1) / sx), stored((y2 - y1) / sy)]


def some_box(layout: Any, place: tuple[int, int, int, int], rng: np.random.Generator, size: Any) -> np.ndarray:
    """A box that this place may hold, its centre in the cell, within the image where that can be."""
    level, anchor, row, col = place
    stride = layout.strides[level]
    centre = (np.array([col, row]) + rng.uniform(0.15, 0.85, 2)) * stride
    prior = np.array(layout.anchors[level][anchor] if layout.anchors else (3 * stride, 3 * stride))
    half = prior * rng.uniform(0.6, 1.6, 2) / 2
    half = np.minimum(half, np.minimum(centre, np.array(size[::-1]) - centre).clip(stride / 2 + 1))
    return np.concatenate((centre - half, centre + half))


def filled(
    layout: Any, size: tuple[int, int], rng: np.random.Generator, share: float, sure: float = 1.0
) -> tuple[Any, list[Thing]]:
    """Two images with an object in a ``share`` of the places, in the storage that is declared; and the objects.

    ``sure``: the score of classes and objectness where an object is.
    """
    levels, things = [], []
    anchors = len(layout.anchors[0]) if layout.anchors else 1
    used = [*layout.box, *layout.classes, -1 if layout.objectness is None else layout.objectness]
    for level, stride in enumerate(layout.strides):
        out = torch.zeros(2, anchors, max(used) + 1, size[0] // stride, size[1] // stride)
        for image, anchor, row, col in _chosen(out, rng, share):
            place = (level, anchor, row, col)
            box = some_box(layout, place, rng, size)
            label = int(rng.integers(layout.num_classes or len(layout.classes)))
            cell = out[image, anchor, :, row, col]
            cell[list(layout.box)] = torch.tensor(numbers(box, layout, size, place))
            if layout.class_values == "ids":
                cell[layout.classes[0]] = label
            else:
                cell[layout.classes[label]] = sure
            if layout.objectness is not None:
                cell[layout.objectness] = sure
            things.append(Thing(image, box, label))
        levels.append(out)
    return stored_as(levels, layout.axes), things


def _chosen(out: Tensor, rng: np.random.Generator, share: float) -> Iterator[tuple[int, ...]]:
    """Places (image, anchor, row, column) in disorder, at least two of each image."""
    shape = (out.shape[0], out.shape[1], *out.shape[3:])
    for image in range(shape[0]):
        places = int(np.prod(shape[1:]))
        for flat in rng.permutation(places)[: max(2, int(share * places))]:
            yield image, *(int(index) for index in np.unravel_index(flat, shape[1:]))


def stored_as(levels: list[Tensor], axes: str) -> Any:
    """(B, A, C, h, w) a level as ``axes`` says."""
    if axes in ("CHW", "AC,H,W"):
        return [level.flatten(1, 2) for level in levels]
    if axes == "NC":
        return torch.cat([level.permute(0, 3, 4, 1, 2).flatten(1, 3) for level in levels], 1)
    if axes == "LNC":
        return [level.permute(0, 3, 4, 1, 2).flatten(1, 3) for level in levels]
    if axes == "HWC":
        return [level.flatten(1, 2).permute(0, 2, 3, 1).contiguous() for level in levels]
    if axes == "HWAC":
        return [level.permute(0, 3, 4, 1, 2).contiguous() for level in levels]
    raise ValueError(f"The suite knows no storage {axes!r}.")
