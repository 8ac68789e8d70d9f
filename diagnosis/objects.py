"""Labelled objects as a caller gives them: boxes and class ids or names, checked at the door."""

import numpy as np

from anatomy import Trace, select_class


def check_objects(trace: Trace, boxes, labels) -> tuple[np.ndarray, np.ndarray]:
    """``boxes`` as (n, 4) float64 xyxy px of the original, ``labels`` (ids or names) as (n,) int64.

    Raises ValueError for boxes that are no boxes, lie off the image or do not match the labels; SelectionError for an
    unknown class.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    boxes = boxes.reshape(0, 4) if boxes.size == 0 else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"Boxes must be (n, 4) xyxy px of the original image, but the shape is {boxes.shape}.")
    labels = [labels] if isinstance(labels, str) else list(np.asarray(labels, dtype=object).reshape(-1))
    if len(labels) != len(boxes):
        raise ValueError(f"Each box needs one label, but {len(boxes)} boxes and {len(labels)} labels were given.")
    if not np.isfinite(boxes).all():
        raise ValueError(f"Boxes must be finite, but box {int((~np.isfinite(boxes)).any(1).argmax())} is not.")
    height, width = trace.image.shape[:2]
    empty = (boxes[:, 2:] <= boxes[:, :2]).any(1)
    if empty.any():
        first = int(empty.argmax())
        raise ValueError(
            f"Boxes must be x1 y1 x2 y2 with x1 < x2 and y1 < y2, but box {first} is {boxes[first].tolist()}. Are "
            "these centres and sizes?"
        )
    off = (boxes[:, :2] >= (width, height)).any(1) | (boxes[:, 2:] <= 0).any(1)
    if off.any():
        first = int(off.argmax())
        raise ValueError(
            f"Boxes must lie on the {width} × {height} px image, but box {first} is {boxes[first].tolist()}. They are "
            "in px of the original, not of the network's input."
        )
    if len(boxes) and boxes.max() <= 1 < min(width, height):
        raise ValueError(
            "Boxes must be in px, but none reaches beyond 1. Multiply normalized boxes by width and height."
        )
    ids = [select_class(trace.names, label) for label in labels]
    return boxes, np.asarray(ids, dtype=np.int64)
