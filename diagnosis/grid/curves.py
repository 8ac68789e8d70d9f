"""The point of a cell's box from how its places rise with single raw outputs, whatever function makes one of the other.

A side depends on one raw output and on the cell's point alone, and so does the centre of boxes that are stored as
centre and size. Cells of nearly the same raw output therefore tell how boxes go with their points (differencing, as in
Yatchew, https://doi.org/10.1257/jel.36.2.669), and the curve that is left tells where the point lies.
"""

from dataclasses import dataclass

import numpy as np

from .functions import LINE, SIDES, Start, start_of_centre, start_of_side

FEWEST = 16  # cells that a curve is read from
MOST = 1500  # cells: a sample of so many suffices
CLOSE = 0.05  # of the range of a raw output: cells that differ by less have a curve's value between them,
SAME = 1e-3  # and by less than this the same
KEPT = 0.85  # of the cells: the rest may be clipped or lie at a bend
FITS = 0.02  # cells: a curve that leaves more is none
SPREAD = 0.04  # cells: by which places must differ before they tell a curve of the centre


@dataclass(frozen=True)
class Curves:
    """``slope`` (2, 2) as in ``Aim``; ``offset`` (2,) xy in cells, None where curves do not tell; ``scatter`` cells.

    ``reach``: cells by which sides grow for 1 of a raw output that is a distance already; None of others.
    """

    slope: np.ndarray
    offset: np.ndarray | None
    scatter: float
    reach: float | None = None


@dataclass(frozen=True)
class Curve:
    """``place`` (n,) in cells from the point of the cell, by ``raw`` (n,) rising; ``slope`` (2,) of places by points.

    ``scatter``: the root mean square of what neighbours do not tell of each other, in cells.
    """

    raw: np.ndarray
    place: np.ndarray
    slope: np.ndarray
    scatter: float


def read_curves(
    middle: np.ndarray, boxes: np.ndarray, raw: np.ndarray, grid_offset: float, *, binned: bool = False
) -> Curves | None:
    """From declared points (n, 2) xy and boxes (n, 4) xyxy in cells, and the four raw outputs (n, 4).

    None where neither sides nor centres are curves. ``grid_offset``: where the declared points lie in their cells;
    ``binned``: raw outputs are distances in strides already.
    """
    kept = _sample(raw)
    middle, boxes, raw = middle[kept], boxes[kept], raw[kept]
    sides = _of_sides(middle, boxes, raw, SIDES[:1] if binned else SIDES)
    return sides if sides is not None or binned else _of_centres(middle, boxes, raw, grid_offset)


def _sample(raw: np.ndarray) -> np.ndarray:
    """Indices of cells of different outputs, and a fifth as many more, in no order."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(raw))
    coarse = np.round(raw[order] / np.maximum(np.ptp(raw, 0), 1e-12) / SAME)
    first = np.unique(coarse, axis=0, return_index=True)[1]
    others = np.setdiff1d(np.arange(len(raw)), first)
    chosen = np.concatenate((rng.permutation(first)[:MOST], rng.permutation(others)[: len(first) // 5]))
    return order[rng.permutation(chosen)]


def _of_sides(middle: np.ndarray, boxes: np.ndarray, raw: np.ndarray, functions: tuple[str, ...]) -> Curves | None:
    """Four distances of one function: at the same raw output the near and the far side lie equally far off."""
    curves = [_curve(middle, boxes[:, side], raw[:, side], side % 2) for side in range(4)]
    known = [curve for curve in curves if curve is not None]
    if len(known) < 4:
        return None
    slope = np.stack([(known[axis].slope + known[axis + 2].slope) / 2 for axis in range(2)], 1)
    told = [_between(known[axis], known[axis + 2], functions) for axis in range(2)]
    offset = np.array(told, float) if None not in told else None
    grown = [start_of_side(curve.raw, curve.place, LINE) for curve in known] if functions == SIDES[:1] else []
    factors = [abs(start.factor) for start in grown if start is not None]
    reach = float(np.median(factors)) if len(factors) == 4 else None
    return Curves(slope, offset, max(curve.scatter for curve in known), reach)


def _of_centres(middle: np.ndarray, boxes: np.ndarray, raw: np.ndarray, grid_offset: float) -> Curves | None:
    """A centre beside the point by a linear function or a sigmoid, which at 0 names the point or the cell's middle."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    curves = [_curve(middle, centre[:, axis], raw[:, axis], axis) for axis in range(2)]
    known = [curve for curve in curves if curve is not None and np.ptp(curve.place) > SPREAD]
    if len(known) < 2:
        return None
    starts = [start_of_centre(curve.raw, curve.place) for curve in known]
    found = [start for start in starts if start is not None]
    offset = _beside(found, grid_offset) if len(found) == 2 else None
    return Curves(np.stack([curve.slope for curve in known], 1), offset, max(curve.scatter for curve in known))


def _beside(starts: list[Start], grid_offset: float) -> np.ndarray | None:
    """How far the centre of raw outputs of 0 lies beside the place that its function makes it name."""
    at = np.array([start.at for start in starts])
    allowed = []
    if all(start.at_point for start in starts):
        allowed.append(np.zeros(2))
    if all(start.at_middle for start in starts):
        allowed.append(np.full(2, 0.5 - grid_offset))
    return min((at - place for place in allowed), key=lambda away: float(np.abs(away).max()), default=None)


def _curve(middle: np.ndarray, place: np.ndarray, raw: np.ndarray, axis: int) -> Curve | None:
    """The curve of a place by a raw output, where it is one beside a linear function of the points."""
    order = np.argsort(raw, kind="stable")
    raw, place, middle = raw[order], place[order], middle[order]
    gap = raw[2:] - raw[:-2]
    wide = np.ptp(np.quantile(raw, (0.05, 0.95))) if len(raw) else 0.0
    near = gap <= CLOSE * wide
    if (near & (gap > SAME * wide / 10)).sum() < FEWEST:
        return None
    share = np.where(gap > 0, (raw[1:-1] - raw[:-2]) / np.where(gap > 0, gap, 1), 0.5)[:, None]
    terms = np.column_stack((middle, place))
    beside = (terms[1:-1] - (1 - share) * terms[:-2] - share * terms[2:])[near]
    slope = np.eye(2)[axis]
    for _ in range(3):
        left = np.abs(beside[:, 2] - beside[:, :2] @ slope)
        best = left <= np.quantile(left, KEPT)
        slope = np.linalg.lstsq(beside[best, :2], beside[best, 2], rcond=None)[0]
    left = np.sort(np.abs(beside[:, 2] - beside[:, :2] @ slope))[: int(KEPT * len(beside))]
    scatter = float(np.sqrt(np.mean(left**2)))
    return Curve(raw=raw, place=place - middle @ slope, slope=slope, scatter=scatter) if scatter <= FITS else None


def _between(near: Curve, far: Curve, functions: tuple[str, ...]) -> float | None:
    """The point that a near and a far side are measured from, in cells; None where no function tells it."""
    inside = (far.raw >= near.raw[0]) & (far.raw <= near.raw[-1])
    if inside.sum() >= FEWEST:
        half = (far.place[inside] + np.interp(far.raw[inside], near.raw, near.place)) / 2
        middle = float(np.median(half))
        if np.median(np.abs(half - middle)) <= FITS / 2:
            return middle
    for function in functions:
        first, last = (start_of_side(curve.raw, curve.place, function) for curve in (near, far))
        if first is None or last is None:
            continue
        alike = abs(first.factor + last.factor) <= 0.1 * abs(last.factor) if function == LINE else True
        if alike and (function == LINE or abs(first.at - last.at) <= 3 * FITS):
            return (first.at + last.at) / 2
    return None
