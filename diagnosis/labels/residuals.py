"""What is left between labels and detections of the same objects: a shift, a scale, a factor on the sizes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .fit import image_fits
from .matched import Matched, match
from .reading import Reading
from .rows import Rows
from .search import MARGIN, difference
from .seen import Seen

FEWEST_PAIRS, FEWEST_IMAGES = 24, 16
LEVEL = 0.0002  # one-sided probability up to which a residual is taken for proven
LEAST_SHIFT = 0.003  # of the image: smaller shifts are a model's habits
LEAST_SCALE = 0.02
MOST_SCALE = 3.0  # where all boxes have one middle, a line through them may have any slope
LEAST_SIZE = 0.05
ROUNDS = 4  # of matching anew with what was found
LEAST_IOU = 0.3  # of a pair
FAR = (-0.1, -0.05, 0.0, 0.05, 0.1)
FACTORS = ((0.8, 0.8), (1.25, 1.25), (0.8, 1.0), (1.0, 0.8), (1.25, 1.0), (1.0, 1.25), (0.65, 0.65), (1.5, 1.5))
STARTS: tuple[dict[str, Any], ...] = (
    {},
    *({"shift": (x, y)} for x in FAR for y in FAR if x or y),
    *({"scale": factors} for factors in FACTORS),
    *({"size": factor} for factor in (0.33, 0.7, 1.4, 3.0)),
)
HALVES = ((0.5, 0.47, 0.53), (2.0, 1.88, 2.13))
HUBER = 1.345  # of a standard deviation, from which on a residual counts less (Huber 1964)


@dataclass(frozen=True)
class Line:
    """``labelled = offset + slope × seen`` along one axis, with standard errors over images."""

    offset: float
    slope: float
    offset_se: float
    slope_se: float


@dataclass(frozen=True)
class Residual:
    """The further departures of matched pairs: ``reading`` with them, ``pairs`` and ``images`` that they rest on."""

    reading: Reading
    pairs: int
    images: int


def refine(rows: Rows, seen: Sequence[Seen], reading: Reading) -> Residual:
    """Add shift, scale and size to a reading, as far as they are proven on pairs; matched anew as they are found.

    It begins where a coarse grid of shifts, scales and sizes fits best. What does not fit better in the end is not
    claimed, nor what rests on pairs in few images.
    """
    starts = [replace(reading, **start) for start in STARTS]
    starts = [replace(start, size=start.size * reading.size) for start in starts]
    fits = image_fits(rows, seen, starts)
    fits = fits[np.isfinite(fits).all(1)]
    best = int(fits.mean(0).argmax()) if len(fits) else 0
    found = starts[best] if best and difference(fits[:, best] - fits[:, 0]).proven(MARGIN) else reading
    found, settled = _settled(rows, seen, reading, found)
    if found != reading:
        last = image_fits(rows, seen, (found, reading))
        if not difference(last[:, 0] - last[:, 1]).mean > -0.002:
            found, settled = reading, match(rows, seen, reading, LEAST_IOU)
    return Residual(reading=found, pairs=len(settled), images=len(np.unique(settled.image)))


def _settled(rows: Rows, seen: Sequence[Seen], reading: Reading, found: Reading) -> tuple[Reading, Matched]:
    """What the pairs show in the end, starting from pairs under ``found``."""
    began = found
    for _ in range(ROUNDS):
        step = _step(match(rows, seen, found, LEAST_IOU), reading, found)
        if step == found:
            break
        found = step
    if found == began != reading:  # a start that no pairs bear out
        found = reading
    found = _named(found)
    return found, match(rows, seen, found, LEAST_IOU)


def _step(matched: Matched, base: Reading, found: Reading) -> Reading:
    """The departures that pairs show, in all, where ``base`` is the reading without and ``found`` that with the last.

    ``matched`` are pairs under ``found``; what was taken back there is put on again before it is measured.
    """
    images = len(np.unique(matched.image))
    if len(matched) < FEWEST_PAIRS or images < FEWEST_IMAGES:
        return found
    labelled, seen = matched.labelled, matched.seen
    centres, sides = _centres(labelled) * found.scale + found.shift, _sides(labelled) * found.scale * found.size
    seen_centres, seen_sides = _centres(seen), _sides(seen)
    bound = _critical(images)
    weights = 1 / (0.05 * seen_sides + 0.004)
    scale, shift = [1.0, 1.0], [0.0, 0.0]
    for axis in (0, 1):
        line = _line_of_both(seen_centres[:, axis], centres[:, axis], weights[:, axis], matched.image)
        if MOST_SCALE > line.slope > 1 / MOST_SCALE and abs(line.slope - 1) > max(LEAST_SCALE, bound * line.slope_se):
            scale[axis] = line.slope
        else:
            line = _line(seen_centres[:, axis], centres[:, axis], weights[:, axis], matched.image, slope=False)
        if abs(line.offset) > max(LEAST_SHIFT, bound * line.offset_se):
            shift[axis] = line.offset
    ratio = np.log(sides / seen_sides / scale).mean(1)
    size = _line(np.zeros(len(ratio)), ratio, np.full(len(ratio), 1 / 0.05), matched.image, slope=False)
    factor = 1.0
    if abs(size.offset) > max(LEAST_SIZE, bound * size.offset_se):
        factor = float(np.exp(size.offset))
    return replace(base, shift=tuple(shift), scale=tuple(scale), size=base.size * factor)


def _line_of_both(x: np.ndarray, y: np.ndarray, weight: np.ndarray, image: np.ndarray) -> Line:
    """A robust line through (x, y) both of which are off by some noise: a line of y over x is too flat then, one of x
    over y too steep, the more so the less they spread (errors in variables; Fuller, Measurement Error Models, 1987).

    The slope is the geometric mean of both, and 1 where one of them is at most that and the other at least.
    """
    flat, back = _line(x, y, weight, image, slope=True), _line(y, x, weight, image, slope=True)
    if back.slope <= 0 or flat.slope <= 0 or (flat.slope - 1) * (1 / back.slope - 1) <= 0:
        return Line(offset=flat.offset, slope=1.0, offset_se=flat.offset_se, slope_se=flat.slope_se)
    slope = (flat.slope / back.slope) ** 0.5
    offset = _line(slope * x, y, weight, image, slope=False).offset
    error = max(flat.slope_se, back.slope_se / back.slope**2)
    return Line(offset=offset, slope=slope, offset_se=flat.offset_se, slope_se=error)


def _line(x: np.ndarray, y: np.ndarray, weight: np.ndarray, image: np.ndarray, slope: bool) -> Line:
    """A robust line through (x, y), iteratively reweighted by Huber's rule; errors clustered by image."""
    design = np.stack((weight, weight * x), 1) if slope else weight[:, None]
    target = weight * (y if slope else y - x)
    robust = np.ones(len(y))
    for _ in range(15):
        solved = np.linalg.lstsq(design * robust[:, None] ** 0.5, target * robust**0.5, rcond=None)[0]
        residual = target - design @ solved
        spread = 1.4826 * np.median(np.abs(residual)) + 1e-9
        robust = np.minimum(1, HUBER * spread / np.maximum(np.abs(residual), 1e-12))
    inverse = np.linalg.pinv(design.T @ (design * robust[:, None]))
    groups = np.unique(image, return_inverse=True)[1]
    scores = np.stack([np.bincount(groups, column * robust * residual) for column in design.T], 1)
    count = len(scores)
    error = np.sqrt(np.diag(inverse @ (scores.T @ scores) @ inverse) * count / max(count - 1, 1))
    if slope:
        return Line(*solved.tolist(), *error.tolist())
    return Line(offset=float(solved[0]), slope=1.0, offset_se=float(error[0]), slope_se=0.0)


def _named(reading: Reading) -> Reading:
    """A size near a half or the double is that."""
    for factor, low, high in HALVES:
        if low < reading.size < high:
            return replace(reading, size=factor)
    return replace(
        reading,
        size=round(reading.size, 4),
        shift=tuple(round(value, 5) for value in reading.shift),
        scale=tuple(round(value, 5) for value in reading.scale),
    )


def _critical(images: int) -> float:
    from scipy.stats import t

    return float(t.isf(LEVEL, images - 1))


def _centres(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _sides(boxes: np.ndarray) -> np.ndarray:
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
