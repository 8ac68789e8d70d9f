"""Ultralytics' own matching and average precision: the functions that its validator calls."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

IOU_THRESHOLDS = 10  # 0.50, 0.55 … 0.95


def matched(boxes: np.ndarray, class_id: np.ndarray, true_boxes: np.ndarray, true_class: np.ndarray) -> np.ndarray:
    """Which of n detections of one image are right at each IoU threshold, (n, 10) bool.

    ``boxes`` (n, 4) and ``true_boxes`` (m, 4) xyxy px of the network input; detections in the order of confidence,
    descending.
    """
    from ultralytics.engine.validator import BaseValidator
    from ultralytics.utils.metrics import box_iou

    if not len(boxes) or not len(true_boxes):
        return np.zeros((len(boxes), IOU_THRESHOLDS), bool)
    iou = box_iou(torch.from_numpy(true_boxes).float(), torch.from_numpy(boxes).float())
    settings: Any = SimpleNamespace(iouv=torch.linspace(0.5, 0.95, IOU_THRESHOLDS))  # all that is asked of a validator
    classes = torch.from_numpy(class_id), torch.from_numpy(true_class)
    return BaseValidator.match_predictions(settings, *classes, iou).numpy()


def average_precision(
    right: np.ndarray, confidence: np.ndarray, class_id: np.ndarray, true_class: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The classes (k,) that have labels, ascending, and the average precision of each at each IoU threshold, (k, 10).

    ``right`` (n, 10) as ``matched`` says it; ``true_class`` (m,) of all labels of the set.
    """
    from ultralytics.utils.metrics import ap_per_class

    answer = ap_per_class(right, confidence, class_id, true_class)
    return answer[6], answer[5]
