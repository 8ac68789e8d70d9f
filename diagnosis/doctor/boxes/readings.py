"""The ways in which a box can be written into four channels, and which of them some numbers agree with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..layout import TargetLayout


@dataclass(frozen=True, eq=False)
class Written:
    """Box channels of n cells of one level, with all that a reading needs.

    ``boxes`` (n, 4) xyxy px, ``sizes`` (n, 2) height and width of the image, ``grids`` (n, 2) rows and columns of the
    level, ``rows``, ``columns`` (n,) the cells, ``meant`` (n, 2) the row and column that the encoder meant; ``values``:
    the channels (n, 4) at the cell, and as other layouts of the tensor would give them.
    """

    boxes: np.ndarray
    sizes: np.ndarray
    grids: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    meant: np.ndarray
    values: Mapping[str, np.ndarray]
    stride: float

    def take(self, index: np.ndarray) -> "Written":
        """Those of a mask (n,) or of indices."""
        parts = {name: getattr(self, name)[index] for name in ("boxes", "sizes", "grids", "rows", "columns", "meant")}
        return replace(self, **parts, values={name: value[index] for name, value in self.values.items()})


@dataclass(frozen=True)
class Reading:
    """One way to write a box; the defaults of a level come from its layout."""

    format: str
    unit: str
    relative: bool
    offset: float
    stride: float
    size_unit: str | None = None
    size: str = "full"
    swapped: bool = False
    sizes_swapped: bool = False
    image: str = "right"
    clamp: str = "no"
    grid: str = "right"
    anchor: str = "here"
    source: str = "here"
    shift: tuple[float, float] = (0.0, 0.0)
    input: str = "xyxy"
    order: tuple[int, int, int, int] = (0, 1, 2, 3)


def declared(layout: TargetLayout, stride: float) -> Reading:
    """The reading that a layout declares for a level."""
    return Reading(layout.format, layout.unit, layout.relative, layout.grid_offset, stride)


_STUCK = {"zero": 0.0, "half": 0.5, "one": 1.0}


def _scrambled(rows: np.ndarray, columns: np.ndarray, grids: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """x and y index that a grid built as (h, w, 2) and viewed as (2, h, w) holds at each cell."""
    rows, columns = np.round(rows).astype(int), np.round(columns).astype(int)
    height, width = grids.T.astype(int)
    if kind.endswith("(w, h)"):
        height, width = width, height
    rows, columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
    found = []
    for channel in range(2):
        flat = channel * height * width + rows * width + columns
        cell, part = np.divmod(flat, 2)
        row, column = np.divmod(cell, width)
        found.append(np.where(part == (0 if kind.startswith("xy") else 1), column, row))
    return found[0].astype(float), found[1].astype(float)


def predict(reading: Reading, written: Written) -> np.ndarray:
    """(n, 4): what the channels hold under this reading."""
    s = reading.stride
    if reading.clamp != "no" and reading.format not in ("cxcywh", "xywh"):
        return np.full((len(written.rows), 4), np.nan)
    height, width = written.sizes.T
    x1, y1, x2, y2 = written.boxes.T if reading.input == "xyxy" else written.boxes[:, [1, 0, 3, 2]].T
    if reading.image == "clip":
        x1, x2, y1, y2 = x1.clip(max=height), x2.clip(max=height), y1.clip(max=width), y2.clip(max=width)
    across, down = (height / width, width / height) if reading.image == "scale" else (1.0, 1.0)
    unit_w, unit_h = (height, width) if reading.image == "unit" else (width, height)
    rows, columns = written.rows, written.columns
    if reading.anchor == "meant":
        rows, columns = written.meant.T
    elif reading.anchor == "transposed":
        rows, columns = columns, rows
    anchors = (columns + reading.offset) * s, (rows + reading.offset) * s
    units = {"px": (1.0, 1.0), "stride": (s, s), "normalized": (unit_w, unit_h)}
    ux, uy = units[reading.unit]
    sx, sy = units[reading.size_unit or reading.unit]
    grid = None if reading.grid == "right" else _scrambled(rows, columns, written.grids, reading.grid)

    def place(p, scale, axis):
        p, anchor = p * scale, anchors[axis]
        base = anchor if grid is None else (grid[axis] + reading.offset) * s
        inner = p - base if grid is None or reading.relative else p - anchor
        if reading.clamp.startswith("absolute"):
            inner = ((p / s).clip(0, 1) - (reading.offset if reading.clamp.endswith("corner") else 0)) * s
        elif reading.clamp != "no":
            inner = np.full_like(p, _STUCK.get(reading.clamp, -reading.offset) * s)
        inner = inner + reading.shift[axis] * s
        return inner if reading.relative else inner + base

    x1, x2, y1, y2 = x1 * across, x2 * across, y1 * down, y2 * down
    if reading.format == "ltrb":
        ax, ay = anchors if grid is None else ((g + reading.offset) * s for g in grid)
        ax, ay = ax + reading.shift[0] * s, ay + reading.shift[1] * s
        out = [(ax - x1) / ux, (ay - y1) / uy, (x2 - ax) / ux, (y2 - ay) / uy]
    elif reading.format == "xyxy":
        out = [place(x1, 1, 0) / ux, place(y1, 1, 1) / uy, place(x2, 1, 0) / ux, place(y2, 1, 1) / uy]
    else:
        px, py = (x1, y1) if reading.format == "xywh" else ((x1 + x2) / 2, (y1 + y2) / 2)
        w, h = _sized((x2 - x1) / sx, reading.size), _sized((y2 - y1) / sy, reading.size)
        if reading.sizes_swapped:
            w, h = h, w
        out = [place(px, 1, 0) / ux, place(py, 1, 1) / uy, w, h]
    if reading.swapped:
        out = [out[1], out[0], out[3], out[2]]
    return np.stack([np.broadcast_to(out[i], x1.shape) for i in reading.order], 1)


def _sized(size, how):
    with np.errstate(divide="ignore"):
        return {
            "full": size,
            "half": size / 2,
            "double": size * 2,
            "log": np.log(size),
            "sqrt": np.sqrt(size),
            "square": size**2,
        }[how]


def pixels(unit: str, stride: float, written: Written) -> np.ndarray:
    """(n, 4): how many px one unit of each channel is, under this unit."""
    height, width = written.sizes.T
    stride = np.full_like(width, stride)
    x, y = {"px": (stride**0, stride**0), "stride": (stride, stride), "normalized": (width, height)}[unit]
    return np.stack((x, y, x, y), 1)


def agreement(reading: Reading, written: Written) -> np.ndarray:
    """(n, 4) bool: the channels that hold what this reading says, within 0.05 px and a thousandth of the value."""
    guess = predict(reading, written)
    slack = 0.05 / pixels(reading.unit, reading.stride, written) + 1e-3 * np.abs(guess)
    return np.abs(guess - written.values[reading.source]) <= slack


def implied_stride(reading: Reading, written: Written) -> float | None:
    """The one stride, in whole px, under which boxes that refer to their cell would be right in x; None if none is."""
    column, value = written.columns + reading.offset, written.values["here"][:, 0]
    if reading.format == "ltrb":
        place, value = written.boxes[:, 0], -value
    elif reading.relative:
        place = written.boxes[:, [0, 2]].mean(1) if reading.format == "cxcywh" else written.boxes[:, 0]
    else:
        return None
    if reading.unit == "stride":
        top, bottom = place, column + value
    else:
        top, bottom = place - value * pixels(reading.unit, reading.stride, written)[:, 0], column
    found = top[np.abs(bottom) > 1] / bottom[np.abs(bottom) > 1]
    middle = np.median(found) if len(found) >= 6 else np.nan
    sure = np.isfinite(middle) and middle > 1 and (np.abs(found - middle) < 0.02 * middle).mean() > 0.9
    return float(round(middle)) if sure else None
