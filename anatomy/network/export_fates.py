"""What becomes of each detection of a model in its exported file."""

import numpy as np

from ..tracing.compare import compare
from ..tracing.trace import Trace
from .export_equivalence import Fate

MOVED = 1.0  # px of the original: what an edge may move before a detection counts as moved
SMALL, MEDIUM = 32**2, 96**2  # px² of the original: COCO's bounds, https://cocodataset.org/#detection-eval


def fates(image: str, before: Trace, after: Trace) -> list[Fate]:
    """Of each detection of the two: those of one place are one, as ``compare(by="iou")`` joins them."""
    joined = compare(before, after, by="iou")
    rows = zip(joined.before.tolist(), joined.after.tolist(), joined.iou.tolist(), strict=True)
    return [_fate(image, before, after, pair) for pair in rows]


def _fate(image: str, before: Trace, after: Trace, pair: tuple[int, int, float]) -> Fate:
    i, j, iou = pair
    old, new = before.detections, after.detections
    both = min(i, j) >= 0
    edge = float(np.abs(old.xyxy[i] - new.xyxy[j]).max()) if both else None
    box = old.xyxy[i] if i >= 0 else new.xyxy[j]
    return Fate(
        image=image,
        status=_status(before, after, i, j, edge),
        level_name=old.level_name[i] if i >= 0 else new.level_name[j],
        size=_size(float((box[2] - box[0]) * (box[3] - box[1]))),
        class_before=old.class_name[i] if i >= 0 else None,
        class_after=new.class_name[j] if j >= 0 else None,
        confidence_before=float(old.confidence[i]) if i >= 0 else None,
        confidence_after=float(new.confidence[j]) if j >= 0 else None,
        iou=iou if both else None,
        edge=edge,
    )


def _status(before: Trace, after: Trace, i: int, j: int, edge: float | None) -> str:
    if edge is None:
        return "lost" if j < 0 else "new"
    if before.detections.class_id[i] != after.detections.class_id[j]:
        return "changed"
    return "moved" if edge > MOVED else "same"


def _size(area: float) -> str:
    """By COCO's bounds of the area in px² of the original."""
    if area <= SMALL:
        return "small"
    return "medium" if area <= MEDIUM else "large"
