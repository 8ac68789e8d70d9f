"""Boxes of which both the points and the sides come out wrong, where neither says what the other is."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..boxes.terms import Held
from .apart import Way, likely_points, one_ratio, point_ways
from .curves import curve
from .other_cells import cells
from .seen import ENOUGH, Reason, Seen

SIGNS = np.array((-1, -1, 1, 1))


def mingled(seen: Seen) -> Reason | None:
    """Points that are known to be wrong, with sides that come out as some other function of those given, or wrong."""
    if seen.terms[0].sign < 0:
        return _distances(seen)
    if seen.terms[2].quantity == "x2":
        return None
    middle = (seen.given.boxes[:, :2] + seen.given.boxes[:, 2:]) / 2
    points = likely_points(seen, point_ways(seen, middle), ENOUGH)
    if not points or not points[0][0]:  # the declared place is the first
        return None
    sizes = curve(seen, slice(2, 4)) or Reason(("wrong_box",), "sizes come out wrong", ENOUGH, partly=True)
    return _both(points[0], sizes)


def _both(point: Way, sides: Reason) -> Reason:
    codes = tuple(dict.fromkeys((point[0], *sides.codes)))
    return Reason(codes, f"{point[1]} and {sides.words}", ENOUGH, partly=sides.partly)


def _distances(seen: Seen) -> Reason | None:
    """Distances from points that lie elsewhere, which come out in other signs, multiplied, or as a function."""
    reference = seen.terms[0].reference
    if reference is None:
        return None
    start = (seen.given.here + reference.offset) * reference.pitch
    given = SIGNS * (seen.given.boxes - np.tile(start, 2))
    for way in _points(seen.given):
        held = replace(seen.given, here=way[2])
        other = replace(seen, given=held)
        points = np.tile((way[2] + reference.offset) * reference.pitch, 2)
        sides = _signs(other, points, given) or _multiplied(other, points, given) or curve(other, slice(0, 4))
        if sides is not None:
            return _both(way, sides)
    return None


def _points(held: Held) -> Iterator[Way]:
    """Cells (n, 2) from whose points distances may be counted."""
    for words, (code, others) in cells(held).items():
        yield code, words, others.astype(float)
    for step in (0.5, -0.5):
        yield "half_cell_offset", f"anchor points lie {step:+g} cell off", held.here + step


def _signs(seen: Seen, points: np.ndarray, given: np.ndarray) -> Reason | None:
    for turned in ((-1, -1, 1, 1), (1, 1, -1, -1), (-1, -1, -1, -1)):
        if seen.told(points + SIGNS * np.array(turned) * given) >= ENOUGH:
            return Reason(("wrong_box_format",), "distances are added where they should be subtracted", ENOUGH)
    return None


def _multiplied(seen: Seen, points: np.ndarray, given: np.ndarray) -> Reason | None:
    with np.errstate(all="ignore"):
        ratio = one_ratio(SIGNS * (seen.came - points) / given)
    if ratio is None or seen.told(points + SIGNS * given * ratio) < ENOUGH:
        return None
    return Reason(("wrong_box_unit",), f"distances come out multiplied by {ratio:.4g}", ENOUGH)
