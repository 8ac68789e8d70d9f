"""One image of a survey: what was found in it and what was missed, as rows of the tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from anatomy import Trace

from ...objects.missed import examined
from .detection_rows import Rows, detection_rows, judge
from .object_rows import object_row


@dataclass(frozen=True)
class Truth:
    """The labels of one image: ``boxes`` (n, 4) xyxy px of the original, ``class_id`` (n,) of the model's names."""

    boxes: np.ndarray
    class_id: np.ndarray


@dataclass(frozen=True)
class ImageRows:
    """The rows of one image in the tables "objects" and "detections"; ``found`` of its objects were."""

    objects: Rows
    detections: Rows
    found: int


def image_rows(key: Mapping[str, Any], trace: Trace, truth: Truth | None, match_iou: float, conf: float) -> ImageRows:
    """``key``: the columns that say which image this is. Without ``truth`` no detection is right or wrong."""
    detections = detection_rows(key, trace)
    if truth is None:
        return ImageRows(objects=[], detections=detections, found=0)
    result = examined(trace, truth.boxes, truth.class_id, iou=match_iou, conf=conf)
    judge(detections, trace.detections, result, match_iou)
    objects = [object_row(key, result, i, detections) for i in range(len(result))]
    return ImageRows(objects=objects, detections=detections, found=int((result.found >= 0).sum()))
