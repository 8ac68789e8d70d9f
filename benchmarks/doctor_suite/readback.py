"""An independent reader: what boxes and classes stand in targets, by their declaration alone.

It shares no code with the encoders, and none with the doctor: the declaration is read word by word, cell by cell.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Declared:
    """What stands in for the doctor's TargetLayout."""

    box: tuple
    format: str
    unit: str
    relative: bool
    objectness: int | None
    classes: tuple
    strides: tuple
    grid_offset: float
    size_unit: str | None
    size_function: str
    anchors: Any
    axes: str
    class_values: str
    background: float
    ignore: float | None
    objectness_values: str
    num_classes: int


@dataclass(frozen=True)
class Reading:
    """One cell's anchor that holds an object: its place, box xyxy px, class and what objectness says."""

    level: int
    row: int
    col: int
    anchor: int
    box: np.ndarray
    label: int
    labels: tuple[int, ...]
    presence: float


def read(outputs: Any, layout: Declared, size: tuple[int, int]) -> list[Reading]:
    """Every place that holds an object."""
    found = []
    for level, slots in enumerate(_slots(outputs, layout, size)):
        for (row, col, anchor), values in slots:
            reading = _slot(values, layout, size, (level, row, col, anchor))
            if reading is not None:
                found.append(reading)
    return found


def _slots(outputs: Any, layout: Declared, size: tuple[int, int]):
    """Of each level ((row, col, anchor), (C,) values), spelled out by loops."""
    axes, batched = layout.axes.removeprefix("B"), layout.axes.startswith("B")
    count = len(layout.anchors[0]) if layout.anchors else 1
    flat = np.asarray(outputs, dtype=float) if axes == "NC" else None
    if flat is not None:
        flat = flat[0] if batched else flat
    start = 0
    for level, stride in enumerate(layout.strides):
        rows, cols = int(size[0] / stride), int(size[1] / stride)
        if flat is None:
            part = np.asarray(outputs[level], dtype=float)
            part = part[0] if batched else part
        else:
            part = flat[start : start + rows * cols * count]
            start += rows * cols * count
        slots = []
        for row in range(rows):
            for col in range(cols):
                places = [(row, col, a) for a in range(count)]
                slots.extend((place, _values(part, axes, place, (rows, cols, count))) for place in places)
        yield slots
    if flat is not None and start != len(flat):
        raise ValueError(f"{len(flat)} rows where {start} are declared")


def _values(part: np.ndarray, axes: str, at: tuple[int, int, int], shape: tuple[int, int, int]) -> np.ndarray:
    row, col, a = at
    if axes in ("NC", "LNC"):
        return part[(row * shape[1] + col) * shape[2] + a]
    if axes == "AC,H,W":
        channels = len(part) // shape[2]
        return part[a * channels : (a + 1) * channels, row, col]
    index = {"H": row, "W": col, "A": a, "C": slice(None)}
    return part[tuple(index[axis] for axis in axes)]


def _slot(values: np.ndarray, layout: Declared, size: Any, place: tuple[int, int, int, int]) -> Reading | None:
    presence = 1.0 if layout.objectness is None else values[layout.objectness]
    shown = values[list(layout.classes)]
    if layout.class_values == "ids":
        label = round(shown[0])
        held = shown[0] not in (layout.background, layout.ignore)
        labels: tuple[int, ...] = (label,) if held else ()
    elif layout.class_values == "gaussian":
        labels = tuple(np.nonzero(shown >= 1)[0])
    else:
        labels = tuple(np.nonzero(shown > 0)[0])
    if not labels or presence <= 0:
        return None
    box = _box(values[list(layout.box)], layout, size, place)
    best = labels[0] if layout.class_values == "ids" else int(np.argmax(shown))
    return Reading(*place, box=box, label=best, labels=labels, presence=float(presence))


def _box(four: np.ndarray, layout: Declared, size: tuple[int, int], place: tuple[int, int, int, int]) -> np.ndarray:
    level, row, col, anchor = place
    stride = layout.strides[level]
    prior = layout.anchors[level][anchor] if layout.anchors else (np.nan, np.nan)
    whole = {"px": (1, 1), "stride": (stride, stride), "normalized": (size[1], size[0]), "prior": prior}
    px = (col + layout.grid_offset) * stride
    py = (row + layout.grid_offset) * stride
    undo = {"identity": lambda v: v, "log": np.exp, "sqrt": np.square, "square": np.sqrt}[layout.size_function]
    ux, uy = whole[layout.unit]
    if layout.format == "ltrb":
        left, top, right, bottom = (float(undo(v)) for v in four)
        return np.array([px - left * ux, py - top * uy, px + right * ux, py + bottom * uy])
    x0, y0 = (px, py) if layout.relative else (0.0, 0.0)
    x, y = x0 + four[0] * ux, y0 + four[1] * uy
    if layout.format == "xyxy":
        return np.array([x, y, x0 + four[2] * ux, y0 + four[3] * uy])
    sx, sy = whole[layout.size_unit or layout.unit]
    w, h = float(undo(four[2])) * sx, float(undo(four[3])) * sy
    return np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
