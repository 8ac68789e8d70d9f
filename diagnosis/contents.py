"""What an encoder writes into box channels: which reading other than the declared one explains the numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from .layout import TargetLayout


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

    def take(self, index) -> "Written":
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


def declared(layout: TargetLayout, stride: float) -> Reading:
    return Reading(layout.format, layout.unit, layout.relative, layout.grid_offset, stride)


def faults(layout: TargetLayout, stride: float, oblong: bool) -> list[tuple[str, dict]]:
    """Single departures from the layout, each with its code; the likeliest first."""
    found: list[tuple[str, dict]] = [
        ("axes_swapped", {"swapped": True}),
        ("axes_swapped", {"input": "yxyx"}),
        ("axes_swapped", {"sizes_swapped": True}),
    ]
    found += [("wrong_box_unit", {"unit": unit}) for unit in ("px", "stride", "normalized") if unit != layout.unit]
    others = [form for form in ("cxcywh", "xywh", "xyxy", "ltrb") if form != layout.format]
    found += [("wrong_box_format", {"format": form}) for form in others]
    if layout.format != "ltrb":
        found.append(("wrong_box_format", {"relative": not layout.relative}))
    if layout.format in ("cxcywh", "xywh"):
        clamps = ("absolute", "absolute from corner", "corner", "zero", "half", "one")
        found += [("saturated_offset", {"clamp": clamp}) for clamp in clamps]
        found += [("wrong_box_unit", {"size_unit": u}) for u in ("px", "stride", "normalized") if u != layout.unit]
        found.append(("wrong_box_format", {"size": "half"}))
        found += [("wrong_box_unit", {"size": size}) for size in ("log", "sqrt", "square", "double")]
    for step, code in ((0.5, "half_cell_offset"), (1.0, "off_by_one_cell")):
        found += [
            (code, {"shift": (step * i, step * j)}) for i, j in ((1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))
        ]
    ratios = sorted({*layout.strides, stride / 2, stride * 2} - {stride})
    if layout.unit == "stride" or layout.format == "ltrb" or layout.relative:
        found += [("wrong_stride", {"stride": other}) for other in ratios]
    if oblong:
        found += [("image_size_swapped", {"image": how}) for how in ("scale", "unit", "clip")]
    found += [("scrambled_layout", {"source": "hwc"}), ("axes_swapped", {"source": "transposed"})]
    found += [("scrambled_layout", {"grid": grid}) for grid in ("xy", "yx", "xy of (w, h)", "yx of (w, h)")]
    found.append(("axes_swapped", {"anchor": "transposed"}))
    return found


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
    return np.stack([np.broadcast_to(part, x1.shape) for part in out], 1)


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


def agreement(reading: Reading, written: Written) -> np.ndarray:
    """(n, 4) bool: the channels that hold what this reading says, within 0.05 px and a thousandth of the value."""
    guess, found = predict(reading, written), written.values[reading.source]
    height, width = written.sizes.T
    s = np.full_like(width, reading.stride)
    pixel = {"px": (1 + 0 * s, 1 + 0 * s), "stride": (s, s), "normalized": (width, height)}[reading.unit]
    slack = np.stack((0.05 / pixel[0], 0.05 / pixel[1], 0.05 / pixel[0], 0.05 / pixel[1]), 1)
    return np.abs(guess - found) <= slack + 1e-3 * np.abs(guess)


@dataclass(frozen=True)
class Explanation:
    """The departures that explain the box channels: ``codes``, the ``reading``, the share of cells it ``fits``."""

    codes: tuple[str, ...]
    reading: Reading
    fits: float
    declared: float


ENOUGH = 0.95


def explain(
    written: Written,
    layout: TargetLayout,
    stride: float,
    known: Sequence[str] = (),
    found_stride: float | None = None,
    first: Sequence[Reading] = (),
) -> Explanation:
    """The fewest departures, beyond those ``known`` from the cells, under which the channels hold the objects' boxes.

    ``first``: readings that were found on other levels, tried before all others. At most two departures are searched at
    once; where positions and sizes have channels of their own, the sizes' are found first and then the positions'.
    """
    start = declared(layout, stride)
    plain = float(agreement(start, written).all(1).mean())
    if plain >= ENOUGH:
        return Explanation((), start, plain, plain)
    options = faults(layout, stride, bool((written.sizes[:, 0] != written.sizes[:, 1]).any()))
    few = written.take(np.linspace(0, len(written.rows) - 1, min(len(written.rows), 24)).round().astype(int))
    others = [replace(other, stride=found_stride or stride) for other in first]
    others += [replace(other, stride=stride) for other in first]
    bases = [(other, tuple(code for code in _between(other, start, options) if code not in known)) for other in others]
    bases += [(base, ()) for base in _bases(start, known, found_stride or stride)]
    best = Explanation((), start, plain, plain)
    found = _search(few, start, bases, options, known, slice(0, 4))
    if not found and layout.format in ("cxcywh", "xywh"):
        halves = [(reading, codes) for _, codes, reading in _search(few, start, bases, options, known, slice(2, 4))]
        found = _search(few, start, halves[:4], options, known, slice(0, 4))
    for _, codes, reading in found[:6]:
        whole = float(agreement(reading, written).all(1).mean())
        if whole > best.fits + 0.01:
            best = Explanation(codes, reading, whole, plain)
    return best


def _between(reading: Reading, start: Reading, options) -> tuple[str, ...]:
    """The codes of the departures that a reading of another level is made of."""
    differs = {name for name in start.__dataclass_fields__ if getattr(reading, name) != getattr(start, name)}
    codes = [
        code
        for code, patch in options
        if set(patch) <= differs and all(getattr(reading, key) == value for key, value in patch.items())
    ]
    return tuple(dict.fromkeys(codes))


def _bases(start: Reading, known: Sequence[str], found_stride: float) -> list[Reading]:
    """Readings that need no new fault beyond those that the cells show."""
    bases = [start]
    if known:
        bases += [replace(start, anchor="meant"), replace(start, stride=found_stride)]
        bases += [replace(start, anchor="meant", stride=found_stride)]
    if "axes_swapped" in known:
        bases += [replace(base, input="yxyx") for base in bases] + [replace(b, swapped=True) for b in bases]
        bases += [replace(start, source="transposed")]
    if "image_size_swapped" in known:
        bases += [replace(start, image=image) for image in ("scale", "unit", "clip")]
    return list(dict.fromkeys(bases))


def _departs(reading: Reading, start: Reading) -> int:
    return sum(getattr(reading, name) != getattr(start, name) for name in start.__dataclass_fields__)


def _search(written, start, bases, options, known, channels) -> list[tuple[float, tuple[str, ...], Reading]]:
    """Readings of the fewest departures that explain these channels: (share, codes, reading), best first."""
    for count in (0, 1, 2):
        ranked = []
        for base, before in bases:
            for chosen in combinations(options, count):
                patch = {key: value for _, part in chosen for key, value in part.items()}
                if len(patch) < sum(len(part) for _, part in chosen):
                    continue
                reading = replace(base, **patch)
                share = float(agreement(reading, written)[:, channels].all(1).mean())
                if share >= 0.9:
                    codes = tuple(dict.fromkeys([*before, *(code for code, _ in chosen if code not in known)]))
                    ranked.append((share, codes, reading))
        if ranked:
            return sorted(ranked, key=lambda item: (_departs(item[2], start) + 0.5 * len(item[1]), -item[0]))
    return []
