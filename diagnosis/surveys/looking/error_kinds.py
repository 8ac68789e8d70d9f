"""What is wrong with each detection of one image: TIDE's kinds of errors, and the object that each is about."""

from dataclasses import dataclass

import numpy as np

from anatomy.tracing.overlap import pair_overlaps

NEAR = 0.1  # IoU from which a detection is about an object at all, as in TIDE


@dataclass(frozen=True)
class ErrorKinds:
    """Of the m detections of one image.

    ``correct`` (m,) bool; ``object`` (m,) int64: the object that a detection found, or the one its error is about, -1
    for background; ``iou`` (m,) float64 with that object, 0 without; ``error`` (m,) a key of ``tables.ERRORS``, None
    where correct.
    """

    correct: np.ndarray
    object: np.ndarray
    iou: np.ndarray
    error: np.ndarray


def error_kinds(
    boxes: np.ndarray,
    class_id: np.ndarray,
    object_boxes: np.ndarray,
    object_class_id: np.ndarray,
    found: np.ndarray,
    *,
    match_iou: float = 0.5,
) -> ErrorKinds:
    """The kind of every error, of detections ``boxes`` (m, 4) and objects ``object_boxes`` (n, 4), both xyxy in one
    frame.

    ``found`` (n,) is the detection that found each object, -1 for none, confident ones having chosen first: a detection
    that is left with an object of its class at ``match_iou`` came second, so scores are not asked for. Where several
    kinds hold, the first of localisation, classification, duplicate, background and both is told: the order of
    TIDE's own code (Bolya et al. 2020, https://github.com/dbolya/tide).
    """
    count = len(boxes)
    correct, about, iou = np.zeros(count, bool), np.full(count, -1), np.zeros(count)
    error = np.full(count, "background", dtype=object)
    if not count or not len(object_boxes):
        return ErrorKinds(correct=correct, object=about, iou=iou, error=error)

    overlap, alike = pair_overlaps(boxes, object_boxes), class_id[:, None] == object_class_id[None]
    same, same_at = _best(np.where(alike, overlap, 0))
    other, other_at = _best(np.where(alike, 0, overlap))
    kinds = {
        "both": (other >= NEAR, other_at, other),
        "duplicate": (same >= match_iou, same_at, same),
        "classification": (other >= match_iou, other_at, other),
        "localisation": ((same >= NEAR) & (same < match_iou), same_at, same),
    }
    for kind, (holds, at, overlap_there) in kinds.items():  # a later kind takes the place of an earlier one
        error[holds], about[holds], iou[holds] = kind, at[holds], overlap_there[holds]

    there = np.flatnonzero(found >= 0)
    by = found[there]
    correct[by], about[by], iou[by], error[by] = True, there, overlap[by, there], None
    return ErrorKinds(correct=correct, object=about, iou=iou, error=error)


def _best(overlap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The highest IoU of each row, and with which object."""
    at = overlap.argmax(1)
    return overlap[np.arange(len(overlap)), at], at
