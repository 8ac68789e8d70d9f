"""One annotation of a COCO JSON, mended in place: box, area, polygons, key points."""

from typing import Any

import numpy as np

from anatomy.tracing.overlap import pair_overlaps

from ..reading import Reading
from .numbers import Size, centre_and_size, lie_right, mended_points

DIGITS = 4  # decimals of px
SAME_AREA = 1e-3  # an area that differs from the box's by no more of it is the box's
Entry = dict[str, Any]


def mend_annotation(entry: Entry, written: np.ndarray, meant: np.ndarray, reading: Reading, size: Size) -> bool:
    """Give an annotation the box that is meant; both boxes are xyxy (4,), shares of an image of ``size``.

    Polygons and key points follow by what of the reading holds for points, unless they are right already; a mask that
    is run-length encoded cannot, and is emptied then. Returns False, and changes nothing, for a box off the image.
    """
    shares = centre_and_size(meant)
    if not shares:
        return False
    width, height = size
    cx, cy, w, h = shares
    before = entry["bbox"]
    entry["bbox"] = _rounded(before, [(cx - w / 2) * width, (cy - h / 2) * height, w * width, h * height])
    area = entry.get("area")
    if isinstance(area, int | float) and abs(area - before[2] * before[3]) <= SAME_AREA * abs(area):
        entry["area"] = round(entry["bbox"][2] * entry["bbox"][3], DIGITS)
    if reading.pointwise.departures:
        _mend_segmentation(entry, written, meant, reading, size)
        _mend_keypoints(entry, written, meant, reading, size)
    return True


def _rounded(before: list[float], after: list[float]) -> list[float]:
    """Numbers as they are written; those that do not change stay as they were."""
    least = 0.5 * 10.0**-DIGITS
    return [old if abs(new - old) <= least else round(new, DIGITS) for old, new in zip(before, after, strict=True)]


def _mend_segmentation(entry: Entry, written: np.ndarray, meant: np.ndarray, reading: Reading, size: Size) -> None:
    outline = entry.get("segmentation")
    if isinstance(outline, dict):
        entry["segmentation"] = []
    if not isinstance(outline, list) or not all(isinstance(part, list) and len(part) % 2 == 0 for part in outline):
        return
    parts = [np.array(part, np.float64).reshape(-1, 2) / size for part in outline]
    if parts and not _hull_is_right(np.concatenate(parts), written, meant):
        moved = [(mended_points(part, reading, size) * size).reshape(-1).tolist() for part in parts]
        entry["segmentation"] = [_rounded(old, new) for old, new in zip(outline, moved, strict=True)]


def _hull_is_right(points: np.ndarray, written: np.ndarray, meant: np.ndarray) -> bool:
    """Whether the box around points (k, 2) fits the box that is meant better than the one that is written."""
    hull = np.concatenate((points.min(0), points.max(0)))
    as_written, as_meant = pair_overlaps(hull[None], np.stack((written, meant)))[0]
    return bool(as_meant > as_written)


def _mend_keypoints(entry: Entry, written: np.ndarray, meant: np.ndarray, reading: Reading, size: Size) -> None:
    numbers = entry.get("keypoints")
    if not isinstance(numbers, list) or not numbers or len(numbers) % 3:
        return
    rows = np.array(numbers, np.float64).reshape(-1, 3)
    labelled = rows[:, 2] > 0
    points = rows[labelled, :2] / size
    if not lie_right(points, written, meant):
        rows[labelled, :2] = mended_points(points, reading, size) * size
        entry["keypoints"] = _rounded(numbers, rows.reshape(-1).tolist())
