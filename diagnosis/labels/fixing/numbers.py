"""The numbers of a row as they should have been written."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ...objects.reading.label_file import BOX, Keypoints
from ...objects.reading.rows import Row
from ..reading import Reading

DIGITS = 8  # decimals of a share: finer than float32, in which they are trained on
Size = tuple[int, int]
"""Width and height of an image, px."""
Values = tuple[float, ...]


def mended_numbers(rows: Iterable[Row], reading: Reading, size: Size, keypoints: Keypoints = None) -> dict[int, Values]:
    """What each row (by its line) should say after its class id, in an image of ``size``.

    () where the reading puts it off the image. A row of NaN or infinity is left as it is, and not among them. What
    reaches beyond the image is cut where Ultralytics would reject it.
    """
    sound = [row for row in rows if all(map(math.isfinite, row.values))]
    boxes = [row for row in sound if not row.polygons]
    found = {row.line: _polygon(row, reading, size) for row in sound if row.polygons}
    if boxes:
        quads = np.array([row.cxcywh for row in boxes], np.float64)
        for row, corners in zip(boxes, reading.boxes(quads, size), strict=True):
            box = centre_and_size(corners)
            found[row.line] = box and (*box, *_keypoints(row, corners, reading, size, keypoints))
    return found


def cut_numbers(rows: Iterable[Row]) -> dict[int, Values]:
    """What each row (by its line) that is out of [0, 1], and still upon the image, should say after its class id."""
    found: dict[int, Values] = {}
    for row in rows:
        inside = min(row.cxcywh) >= 0 and max(row.cxcywh) <= 1
        if inside or not all(map(math.isfinite, row.values)):
            continue
        whole = Reading().boxes([row.cxcywh], (1, 1))[0]
        numbers = _polygon_cut(row) if row.polygons else centre_and_size(whole)
        if numbers:
            found[row.line] = numbers
    return found


def centre_and_size(corners: np.ndarray) -> Values:
    """Centre and size of a box, xyxy (4,) shares: cut at the image where they leave [0, 1], () if nothing is left."""
    box = _centred(corners)
    if min(box) < 0 or max(box) > 1:
        box = _centred(corners.clip(0, 1))
    return box if min(box[2:]) > 0 else ()


def _centred(corners: np.ndarray) -> Values:
    low, high = corners[:2], corners[2:]
    return (*((low + high) / 2).tolist(), *(high - low).tolist())


def mended_points(points: np.ndarray, reading: Reading, size: Size) -> np.ndarray:
    """Points (k, 2), cut at the image, by what of a reading holds for points: a format or a size is one of boxes."""
    pointwise = reading.pointwise
    return points if not pointwise.departures else pointwise.points(points, size).clip(0, 1)


def lie_right(points: np.ndarray, written: np.ndarray, meant: np.ndarray) -> bool:
    """Whether points (k, 2) already lie where a box is ``meant``, rather than where it is ``written``, both xyxy (4,).

    Tools that write the box of a mask or skeleton wrongly may write its points rightly.
    """
    return bool(_inside(points, meant) > _inside(points, written))


def _inside(points: np.ndarray, box: np.ndarray) -> float:
    """The share of points that a box holds."""
    return float(((points >= box[:2]) & (points <= box[2:])).all(1).mean()) if len(points) else 0.0


def _polygon(row: Row, reading: Reading, size: Size) -> Values:
    points = mended_points(np.array(row.values[1:], np.float64).reshape(-1, 2), reading, size)
    return tuple(points.reshape(-1).tolist()) if (np.ptp(points, axis=0) > 0).all() else ()


def _polygon_cut(row: Row) -> Values:
    points = np.array(row.values[1:], np.float64).reshape(-1, 2).clip(0, 1)
    return tuple(points.reshape(-1).tolist()) if (np.ptp(points, axis=0) > 0).all() else ()


def _keypoints(row: Row, meant: np.ndarray, reading: Reading, size: Size, keypoints: Keypoints) -> Values:
    """The key points of a row; one that is not labelled stays as it is, and so do those that are right already."""
    numbers = np.array(row.values[BOX:], np.float64)
    if keypoints is None or not numbers.size:
        return tuple(numbers.tolist())
    rows = numbers.reshape(keypoints)
    labelled = rows[:, -1] > 0 if keypoints[1] == 3 else rows.any(1)
    written = Reading().boxes([row.cxcywh], size)[0]
    if not lie_right(rows[labelled, :2], written, meant):
        rows[labelled, :2] = mended_points(rows[labelled, :2], reading, size)
    return tuple(rows.reshape(-1).tolist())


def words_of(words: Sequence[str], row: Row, numbers: Values, classes: Mapping[int, int]) -> list[str]:
    """The words of a line with the class and the ``numbers`` that are meant (() for those that stand there).

    A word whose number does not change stays as it was written.
    """
    meant = classes.get(int(row.class_id), row.class_id) if math.isfinite(row.class_id) else row.class_id
    written = list(words)
    if meant != row.class_id and row.class_id % 1 == 0:
        written[0] = str(meant)
    for place, number in enumerate(numbers, 1):
        if abs(number - row.values[place]) > 0.5 * 10.0**-DIGITS:
            written[place] = share_text(number)
    return written


def share_text(number: float) -> str:
    """A share with as many decimals as it needs, at most ``DIGITS``."""
    text = f"{number:.{DIGITS}f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text
