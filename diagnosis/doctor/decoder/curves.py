"""Channels that come out as some function of what was given, whichever it is: points that lie on one curve."""

from dataclasses import replace

import numpy as np

from .seen import ENOUGH, Reason, Seen

FEWEST = 40
NEAR = 0.03
"""Of the range of what comes out, how far a point may lie off the line between its neighbours."""
LEVEL = 0.25
"""Of the slope of its lower half, what is left in the upper half of a curve that a function bounds."""


def curved(seen: Seen) -> Reason | None:
    """Sizes, or distances, that come out as another function of what was given, all else being right."""
    picked = slice(0, 4) if seen.terms[0].sign < 0 else slice(2, 4)
    if picked.start and (seen.terms[2].quantity == "x2" or not _places(seen, _written(seen))):
        return None
    return curve(seen, picked)


def _written(seen: Seen) -> np.ndarray:
    """(n, 4): the channels in which an encoder as declared would have written what came."""
    with np.errstate(all="ignore"):
        return np.stack([term.predict(seen.taken, i) for i, term in enumerate(seen.terms)], 1)


def curve(seen: Seen, picked: slice) -> Reason | None:
    """Box channels ``picked``, sizes or distances, that come out as another function of what was given."""
    one, other = seen.given.values[:, picked].ravel(), _written(seen)[:, picked].ravel()
    sound = np.isfinite(one) & np.isfinite(other)
    if sound.sum() < FEWEST:
        return None
    name = "sizes" if picked.start else "distances"
    cut = _cut(one[sound], other[sound])
    if cut is not None:
        code = "range_ceiling" if cut[0] is None else "saturated_offset"
        said = " and ".join(f"at {round(end, 3) + 0.0:g}" for end in cut if end is not None)
        return Reason((code,), f"the channels of {name} are cut {said}", 1.0)
    if not _lie_on_a_curve(one[sound], other[sound]):
        return None
    if _bounded(one[sound], other[sound]) and _bounded(one[sound], _measured(seen, picked).ravel()[sound]):
        words = f"{name} come out as a function of those given that levels off"
        return Reason(("saturated_offset",), words, ENOUGH)
    return Reason(("wrong_box_unit",), f"{name} come out as another function of those given", ENOUGH)


def _places(seen: Seen, came: np.ndarray) -> bool:
    """Whether the places are right."""
    lengths = np.stack([term.unit.length(seen.given) for term in seen.terms[:2]], 1)
    return bool((np.abs(came - seen.given.values)[:, :2] * lengths <= 2 * seen.tolerance[:, None]).mean() >= ENOUGH)


def _cut(one: np.ndarray, other: np.ndarray) -> tuple[float | None, float | None] | None:
    """The least and the greatest value that are let through, None where there is no such end; None without any."""
    low, high = float(other.min()), float(other.max())
    near = 0.02 * max(float(np.ptp(one)), 1e-9)
    if not (np.abs(np.clip(one, low, high) - other) <= near).mean() >= ENOUGH:
        return None
    ends = (low if (one < low - near).sum() >= 3 else None, high if (one > high + near).sum() >= 3 else None)
    return ends if ends != (None, None) else None


def _lie_on_a_curve(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether each point, but for the ends, lies near the line between its neighbours, on a curve that rises.

    Numbers that are hardly changed lie on none: they may be off by as much anyhow.
    """
    order = np.argsort(one)
    x, y = one[order], other[order]
    span = np.ptp(y)
    if (
        span <= 1e-9
        or (np.abs(y - x) <= NEAR * span).mean() >= ENOUGH
        or np.corrcoef(np.argsort(order), np.argsort(np.argsort(other)))[0, 1] < 0.97
    ):
        return False
    gap = np.maximum(x[2:] - x[:-2], 1e-9)
    between = y[:-2] + (y[2:] - y[:-2]) * (x[1:-1] - x[:-2]) / gap
    return bool((np.abs(between - y[1:-1]) <= NEAR * span).mean() >= 0.97)


def _measured(seen: Seen, picked: slice) -> np.ndarray:
    """(n, channels): what comes out in the declared unit, through no function."""
    terms = [replace(term, function="identity") for term in seen.terms]
    return np.stack([term.predict(seen.taken, i) for i, term in enumerate(terms)], 1)[:, picked]


def _bounded(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the upper half of the values given makes little difference."""
    middle = (one.min() + one.max()) / 2
    upper, lower = (np.ptp(other[part]) for part in (one >= middle, one <= middle))
    return bool(upper < LEVEL * lower)
