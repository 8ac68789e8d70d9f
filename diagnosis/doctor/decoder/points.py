"""Boxes of right sides around anchor points that lie elsewhere: on which grid, as measured from what comes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .seen import ENOUGH, Reason, Seen

FEWEST = 8
NEAR = 0.01
"""By which measured ratios may differ from those that they are known by."""

Size = tuple[int, int]


@dataclass(frozen=True)
class Spread:
    """How far apart the points of an image's cells lie along x and y, in declared distances, and how far they moved.

    ``moved`` (2,) px, along x and y.
    """

    ratio: np.ndarray
    moved: np.ndarray


def pointed(seen: Seen) -> Reason | None:
    """Anchor points that are spread over the image otherwise than declared, the same rule at every size."""
    spreads = _spreads(seen, centres=False) or _spreads(seen, centres=True)
    if spreads is None:
        return None
    code, words, stride = _named(spreads, seen.given.stride)
    return Reason((code,), words, 1.0, stride=stride)


def _spreads(seen: Seen, centres: bool) -> dict[Size, Spread] | None:
    """The spread of points, or of ``centres``, at each size; None where boxes are not just moved by a rule of them."""
    reference = seen.terms[0].reference
    if reference is None:
        return None
    found: dict[Size, Spread] = {}
    for size in np.unique(seen.given.sizes, axis=0):
        part = seen.take((seen.given.sizes == size).all(1) & seen.inside)
        points = (part.given.here + reference.offset) * reference.pitch
        if centres:
            points = (part.given.boxes[:, :2] + part.given.boxes[:, 2:]) / 2
        if len(points) < FEWEST or min(len(np.unique(axis)) for axis in points.T) < 3:
            return None
        moved = part.came - part.given.boxes
        spread = _spread(points, moved, part.tolerance)
        if spread is None:
            return None
        found[int(size[0]), int(size[1])] = spread
    plain = all(np.abs(one.ratio - 1).max() < NEAR for one in found.values())
    return None if plain else found


def _spread(points: np.ndarray, moved: np.ndarray, tolerance: np.ndarray) -> Spread | None:
    """Of points (n, 2) and moves of their boxes' corners (n, 4), px: the line through them, axis by axis."""
    if (np.abs(moved[:, :2] - moved[:, 2:]).max(1) <= tolerance).mean() < ENOUGH:
        return None
    ratio, start = np.ones(2), np.zeros(2)
    for axis in range(2):
        terms = np.stack((points[:, axis], np.ones(len(points))), 1)
        away = moved[:, [axis, axis + 2]].mean(1)
        slope, start[axis] = np.linalg.lstsq(terms, away, rcond=None)[0]
        if (np.abs(terms @ (slope, start[axis]) - away) <= 2 * tolerance).mean() < ENOUGH:
            return None
        ratio[axis] += slope
    return Spread(ratio, start)


def _named(spreads: Mapping[Size, Spread], stride: float) -> tuple[str, str, float | None]:
    """A code, words and the stride that the points have, where they have one."""
    for code, words, rule in (
        ("image_size_swapped", "over the exchanged sides of the image", lambda h, w: (h / w, w / h)),
        ("wrong_stride", "from edge to edge, the last on it", lambda h, w: (w / (w - stride), h / (h - stride))),
        ("wrong_box_unit", "over the longer side of the image both ways", lambda h, w: (max(h, w) / w, max(h, w) / h)),
        ("wrong_box_unit", "over the shorter side of the image both ways", lambda h, w: (min(h, w) / w, min(h, w) / h)),
        ("wrong_box_unit", "over a side of 1", lambda h, w: (1 / w, 1 / h)),
        ("wrong_box_unit", "in cells, not in px", lambda h, w: (1 / stride, 1 / stride)),
    ):
        if all(_near(one.ratio, rule(*size)) for size, one in spreads.items()):
            return code, f"anchor points are spread {words}", None
    ratios = np.concatenate([one.ratio for one in spreads.values()])
    if np.ptp(ratios) <= NEAR * abs(ratios.mean()):
        pitch = float(stride * ratios.mean())
        return "wrong_stride", f"anchor points lie {pitch:.4g} px apart, not {stride:g}", pitch
    said = [f"{h} x {w}: {x:.4g} along x and {y:.4g} along y" for (h, w), (x, y) in _apart(spreads, stride)]
    return "wrong_stride", f"anchor points lie otherwise apart than {stride:g} px ({'; '.join(said)})", None


def _apart(spreads: Mapping[Size, Spread], stride: float) -> list[tuple[Size, tuple[float, float]]]:
    return [(size, (float(stride * one.ratio[0]), float(stride * one.ratio[1]))) for size, one in spreads.items()]


def _near(ratio: np.ndarray, known: tuple[float, float]) -> bool:
    return bool((np.abs(ratio / np.array(known) - 1) < NEAR).all())
