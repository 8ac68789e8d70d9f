"""Outputs and targets that hold known objects, spelled out from a declaration alone."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor


def said(layout: Any) -> SimpleNamespace:
    """A declaration with what it leaves out."""
    usual = {"relative": False, "size_unit": None, "size_function": "identity", "class_values": "one_hot"}
    return SimpleNamespace(**{"objectness": 4, **usual, **layout})


def write(box: np.ndarray, layout: Any, size: tuple[int, int], place: tuple[int, int, int]) -> list[float]:
    """Four numbers that mean this xyxy px box at a cell, spelled out from the declaration."""
    level, row, col = place
    stride = layout.strides[level]
    px, py = (col + layout.grid_offset) * stride, (row + layout.grid_offset) * stride
    whole = {"px": (1, 1), "stride": (stride, stride), "normalized": (size[1], size[0])}
    (ux, uy), (sx, sy) = whole[layout.unit], whole[layout.size_unit or layout.unit]
    x1, y1, x2, y2 = box
    if layout.format == "ltrb":
        return [(px - x1) / ux, (py - y1) / uy, (x2 - px) / ux, (y2 - py) / uy]
    x0, y0 = (px, py) if layout.relative else (0, 0)
    if layout.format == "xyxy":
        return [(x1 - x0) / ux, (y1 - y0) / uy, (x2 - x0) / ux, (y2 - y0) / uy]
    do = {"identity": lambda v: v, "log": np.log, "sqrt": np.sqrt}[layout.size_function]
    return [((x1 + x2) / 2 - x0) / ux, ((y1 + y2) / 2 - y0) / uy, do((x2 - x1) / sx), do((y2 - y1) / sy)]


def filled(layout: Any, size: tuple[int, int], rng: np.random.Generator, share: float) -> tuple[list[Tensor], list]:
    """Two images of targets with an object in a ``share`` of the cells; and (image, box, label) of each."""
    outputs, things = [], []
    for level, stride in enumerate(layout.strides):
        shape = (2, max(layout.classes) + 1, size[0] // stride, size[1] // stride)
        out = torch.zeros(shape)
        for image, row, col in np.ndindex(shape[0], *shape[2:]):
            middle = (np.array([col, row]) + rng.uniform(0.3, 0.7, 2)) * stride
            extent = rng.uniform(1.5, 3, 2) * stride * (6 if rng.random() < 0.1 else 1)
            box = np.concatenate((middle - extent / 2, middle + extent / 2))
            holds = rng.random() < share
            if holds or share == 0:
                out[image, list(range(4)), row, col] = torch.tensor(
                    write(box, layout, size, (level, row, col)), dtype=torch.float32
                )
            if holds:
                label = int(rng.integers(len(layout.classes)))
                out[image, layout.classes[label], row, col] = 1
                if layout.objectness is not None:
                    out[image, layout.objectness, row, col] = 1
                things.append((image, box, label))
        outputs.append(out)
    return outputs, things
