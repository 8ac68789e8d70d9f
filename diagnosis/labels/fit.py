"""How well boxes read from labels fit the boxes that a model sees, image by image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .reading import Reading
from .rows import Rows
from .seen import Seen, sizes


@dataclass(frozen=True)
class Pairs:
    """Every row of an image with every detection of it: ``row`` and ``detection`` (p,), sorted by row.

    ``boxes`` (m, 4) xyxy shares of all detections, ``of`` (m,) the image of each.
    """

    row: np.ndarray
    detection: np.ndarray
    boxes: np.ndarray
    of: np.ndarray


def pairs(rows: Rows, seen: Sequence[Seen]) -> Pairs:
    """Pair rows and detections of the same image."""
    counts = np.array([len(one) for one in seen], np.int64)
    first = np.concatenate(([0], np.cumsum(counts)))[:-1]
    each = counts[rows.image]
    row = np.repeat(np.arange(len(rows)), each)
    within = np.arange(len(row)) - np.repeat(np.cumsum(each) - each, each)
    return Pairs(
        row=row,
        detection=first[rows.image[row]] + within,
        boxes=np.concatenate([np.empty((0, 4)), *(one.boxes for one in seen)]),
        of=np.repeat(np.arange(len(seen)), counts),
    )


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU (p,) of boxes (p, 4) with others (p, 4), pair by pair; 0 for boxes that are inside out."""
    sides = np.minimum(boxes[:, 2:], others[:, 2:]) - np.maximum(boxes[:, :2], others[:, :2])
    common = np.prod(np.maximum(sides, 0), 1)
    whole = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), 1) + np.prod(others[:, 2:] - others[:, :2], 1) - common
    return common / np.maximum(whole, 1e-12)


def image_fits(rows: Rows, seen: Sequence[Seen], readings: Sequence[Reading]) -> np.ndarray:
    """The fit (images, readings) in [0, 1]; NaN for images without a row or without a detection.

    The mean over all rows and detections of an image of the best IoU on the other side, so that neither many labels
    nor large boxes win. Boxes are not clipped: what leaves the image is paid for.
    """
    paired, size = pairs(rows, seen), sizes(seen)[rows.image]
    members = np.bincount(rows.image, minlength=len(seen)) + np.bincount(paired.of, minlength=len(seen))
    both = (np.bincount(rows.image, minlength=len(seen)) > 0) & (np.bincount(paired.of, minlength=len(seen)) > 0)
    ends = _ends(paired.row)
    order = np.argsort(paired.detection, kind="stable")
    other_ends = _ends(paired.detection[order])
    images = np.concatenate((rows.image[paired.row[ends]], paired.of[paired.detection[order][other_ends]]))
    seen_boxes = paired.boxes[paired.detection]
    found = np.full((len(seen), len(readings)), np.nan)
    for place, reading in enumerate(readings):
        iou = overlaps(reading.boxes(rows.quads, size)[paired.row], seen_boxes)
        best = np.concatenate((_best(iou, ends), _best(iou[order], other_ends)))
        found[both, place] = (np.bincount(images, best, len(seen)) / np.maximum(members, 1))[both]
    return found


def _ends(groups: np.ndarray) -> np.ndarray:
    """Where each run of equal numbers begins."""
    return np.flatnonzero(np.diff(groups, prepend=-1)) if len(groups) else np.empty(0, np.int64)


def _best(values: np.ndarray, begins: np.ndarray) -> np.ndarray:
    return np.maximum.reduceat(values, begins) if len(begins) else np.empty(0)
