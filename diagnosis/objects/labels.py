"""Labelled objects as a caller gives them: boxes and class ids or names, checked at the door."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np
from torch import Tensor

from anatomy import Trace, select_class
from anatomy.arguments import shown

from .label_sources import is_label_source, labelled_objects


def check_objects(trace: Trace, boxes: Any, labels: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """``boxes`` as (n, 4) float64 xyxy px of the original, ``labels`` (ids or names) as (n,) int64.

    In place of both may stand ``ImageLabels``, a ``LabelledSet``, or the path of what ``read_labels`` reads; in a set
    the image is found by the trace's path, else by its file name. Raises ValueError for boxes that are no boxes, lie
    off the image or do not match the labels; SelectionError for an unknown class, LookupError for an unknown image,
    TypeError for boxes without labels.
    """
    if is_label_source(boxes):
        if labels is not None:
            raise ValueError(
                f"Boxes must be (n, 4) numbers where labels are given, but {shown(boxes)} was, which stands for boxes "
                "and labels both. Leave the labels out."
            )
        found = labelled_objects(trace, boxes)
        boxes, labels = found.boxes, found.ids
    if labels is None:
        raise TypeError("Boxes need labels, one each. Or give what diagnosis.read_labels reads in place of both.")
    boxes = _box_array(boxes)
    labels = _label_list(labels)
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


def _box_array(boxes: Any) -> np.ndarray:
    """(n, 4) float64; raises ValueError for what holds no such numbers."""
    boxes = boxes.detach().cpu() if isinstance(boxes, Tensor) else boxes
    try:
        numbers: np.ndarray[Any, np.dtype[Any]] = np.asarray(boxes)
    except ValueError:  # rows of several lengths
        numbers = np.empty(1, dtype=object)
    if numbers.size and numbers.dtype.kind not in "iuf":
        raise ValueError(f"Boxes must be (n, 4) numbers, xyxy px of the original image, but {shown(boxes)} was given.")
    numbers = numbers.reshape(0, 4) if numbers.size == 0 else numbers.astype(np.float64)
    if numbers.ndim != 2 or numbers.shape[1] != 4:
        raise ValueError(f"Boxes must be (n, 4) xyxy px of the original image, but the shape is {numbers.shape}.")
    return numbers


def _label_list(labels: Any) -> list:
    """Class ids and names, one a box; raises TypeError for what has no order, such as a set or a mapping."""
    if isinstance(labels, Tensor | np.ndarray):
        return list(labels.detach().cpu().reshape(-1)) if isinstance(labels, Tensor) else list(labels.reshape(-1))
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        return [labels]
    if isinstance(labels, Mapping | Set | bytes):
        raise TypeError(f"Labels must be class ids or names, one for each box in order, but {shown(labels)} was given.")
    return list(labels)
