"""What an encoder writes into box channels: which reading other than the declared one explains the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations

import numpy as np

from ..layout import TargetLayout
from .readings import Reading, Written, agreement, declared, implied_stride


def faults(layout: TargetLayout, stride: float, oblong: bool, measured: Sequence[float] = ()) -> list[tuple[str, dict]]:
    """Single departures from the layout, each with its code; the likeliest first. ``measured``: strides to try."""
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
    ratios = sorted({*layout.strides, stride / 2, stride * 2, *measured} - {stride})
    if layout.unit == "stride" or layout.format == "ltrb" or layout.relative:
        found += [("wrong_stride", {"stride": other}) for other in ratios]
    if oblong:
        found += [("image_size_swapped", {"image": how}) for how in ("scale", "unit", "clip")]
    found += [("scrambled_layout", {"source": "hwc"}), ("axes_swapped", {"source": "transposed"})]
    found += [("scrambled_layout", {"grid": grid}) for grid in ("xy", "yx", "xy of (w, h)", "yx of (w, h)")]
    found.append(("axes_swapped", {"anchor": "transposed"}))
    for order in permutations(range(4)):
        if order not in ((0, 1, 2, 3), (1, 0, 3, 2)):
            found.append(("wrong_box_format" if set(order[:2]) != {0, 1} else "axes_swapped", {"order": order}))
    return found


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
    measured = implied_stride(start, written)
    oblong = bool((written.sizes[:, 0] != written.sizes[:, 1]).any())
    options = faults(layout, stride, oblong, () if measured is None else (measured,))
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
        single = options if count < 2 else [option for option in options if "order" not in option[1]]
        for base, before in bases:
            for chosen in combinations(single, count):
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
