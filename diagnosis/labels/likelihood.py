"""How likely labels are under a reading, file by file, given what a model sees and how well it usually fits labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .fit import pairs
from .matched import Matched
from .reading import Reading
from .rows import Rows
from .seen import Seen, sizes

HEAVY = 2.0  # degrees of freedom of the deviations: models miss a box's end far more often than a normal law has it
PART, LEAST = 0.05, 0.004  # a deviation of 1 is so much of the side, and so much of the image
MIDDLE = 0.8165  # the median of |t| at these degrees of freedom
TIGHTEST = 0.15  # of the typical deviation
FEWEST = 8  # pairs below which the usual deviation of models stands in
USUAL = (0.35, 0.7)
ANYWHERE = 1 / 4.6**2  # density of a box that is anywhere, its sides 1 % to all of the image (log scale)
SOME = (0.1, 0.9)  # of the labels, the least and the most that no detection explains


@dataclass(frozen=True)
class Deviation:
    """How far labels usually are from detections: of ``centres`` and of ``sides`` (log), in the units of above.

    ``unexplained``: part of the labels that no detection is near to.
    """

    centres: float
    sides: float
    unexplained: float


def usual_deviation(matched: Matched, labels: int) -> Deviation:
    """The typical deviation of matched pairs, robustly; of so many ``labels`` in all."""
    unexplained = float(np.clip(1 - len(matched) / max(labels, 1), *SOME))
    if len(matched) < FEWEST:
        return Deviation(*USUAL, unexplained)
    centres, sides = _deviations(matched.labelled, matched.seen)
    return Deviation(
        centres=max(float(np.median(np.abs(centres))) / MIDDLE, TIGHTEST),
        sides=max(float(np.median(np.abs(sides))) / MIDDLE, TIGHTEST),
        unexplained=unexplained,
    )


def log_likelihoods(rows: Rows, seen: Sequence[Seen], readings: Sequence[Reading], usual: Deviation) -> np.ndarray:
    """The log likelihood (images, readings) of each image's labels; 0 for images without labels or detections."""
    log = row_log_likelihoods(rows, seen, readings, usual)
    found = np.zeros((len(seen), len(readings)))
    for place in range(len(readings)):
        found[:, place] = np.bincount(rows.image, log[:, place], len(seen))
    return found


def row_log_likelihoods(rows: Rows, seen: Sequence[Seen], readings: Sequence[Reading], usual: Deviation) -> np.ndarray:
    """The log likelihood (rows, readings) of each label, against labels that are anywhere.

    A label is of one of the image's detections, off by a t law of the usual width, or of none and anywhere. 0 for
    those of images without detections.
    """
    paired, size = pairs(rows, seen), sizes(seen)[rows.image]
    found = np.zeros((len(rows), len(readings)))
    if not len(paired.row):
        return found
    begins = np.flatnonzero(np.diff(paired.row, prepend=-1))
    counts = np.diff(begins, append=len(paired.row))
    row = paired.row[begins]
    boxes = paired.boxes[paired.detection]
    for place, reading in enumerate(readings):
        density = _density(reading.boxes(rows.quads, size)[paired.row], boxes, usual)
        near = np.add.reduceat(density, begins) / counts
        found[row, place] = np.log(usual.unexplained + (1 - usual.unexplained) * near)
    return found


def _density(labelled: np.ndarray, seen: np.ndarray, usual: Deviation) -> np.ndarray:
    """Of labels (p, 4) near detections (p, 4), against anywhere; nothing for boxes that are inside out."""
    centres, sides = _deviations(labelled, seen)
    side = seen[:, 2:] - seen[:, :2]
    widths = usual.centres * (PART * side + LEAST) * usual.sides * (PART + LEAST / side)
    law = np.prod(HEAVY + (centres / usual.centres) ** 2, 1) * np.prod(HEAVY + (sides / usual.sides) ** 2, 1)
    proper = (labelled[:, 2:] > labelled[:, :2]).all(1)
    return np.where(proper, 1 / (law * np.sqrt(law) * np.prod(widths, 1) * ANYWHERE), 0.0)


def _deviations(labelled: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of centres and of sides (p, 2) each."""
    side = np.maximum(seen[:, 2:] - seen[:, :2], 1e-6)
    centres = (labelled[:, :2] + labelled[:, 2:] - seen[:, :2] - seen[:, 2:]) / 2 / (PART * side + LEAST)
    ratio = np.log(np.maximum(labelled[:, 2:] - labelled[:, :2], 1e-6) / side)
    return centres, ratio / (PART + LEAST / side)
