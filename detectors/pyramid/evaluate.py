"""How good the detections are: average precision at an overlap of one half."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.ops import box_iou

from anatomy.head.evaluating import evaluating
from anatomy.head.turns import undisturbed

from .data import Batch

CONF, IOU = 0.01, 0.6  # thresholds of the detections that are scored


@dataclass(frozen=True)
class Score:
    """``map50``: the mean of ``ap50`` over the classes that occur, in 0..1."""

    map50: float
    ap50: dict[str, float]


def average_precision(hits: np.ndarray, objects: int) -> float:
    """The area under the precision-recall curve, each precision raised to the best at any higher recall (Pascal VOC
    2010, http://host.robots.ox.ac.uk/pascal/VOC/voc2012/devkit_doc.pdf, section 3.4.1).

    ``hits`` (n,) bool, best detection first; ``objects``: how many there are to find.
    """
    if not objects or not len(hits):
        return 0.0
    true = np.cumsum(hits)
    recall, precision = true / objects, true / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def hits(boxes: torch.Tensor, truth: torch.Tensor, overlap: float = 0.5) -> np.ndarray:
    """Which detections (n, 4), best first, are right: each object of ``truth`` (m, 4) counts once, for the first
    detection whose best overlap it is."""
    found = np.zeros(len(boxes), bool)
    if len(boxes) and len(truth):
        best, which = box_iou(boxes, truth).max(1)
        taken = set()
        for i, (value, j) in enumerate(zip(best.tolist(), which.tolist(), strict=True)):
            if value >= overlap and j not in taken:
                taken.add(j)
                found[i] = True
    return found


@torch.inference_mode()
def evaluate(model, batches: Iterable[Batch]) -> Score:
    """The score of a model over the batches of a data set; the model's mode is as before when it returns."""
    count = len(model.names)
    confidence, right, objects = [[] for _ in range(count)], [[] for _ in range(count)], [0] * count
    with undisturbed(model), evaluating(model):
        for batch in batches:
            for found, boxes, labels in zip(
                model.detect(batch.images, CONF, IOU), batch.boxes, batch.labels, strict=True
            ):
                for label in range(count):
                    mine = found[found.class_id == label]
                    objects[label] += int((labels == label).sum())
                    confidence[label].append(mine.confidence.numpy())
                    right[label].append(hits(mine.boxes, boxes[labels == label]))
    ap50 = {}
    for label in range(count):
        if objects[label]:
            order = np.argsort(-np.concatenate(confidence[label]), kind="stable")
            ap50[model.names[label]] = average_precision(np.concatenate(right[label])[order], objects[label])
    return Score(float(np.mean(list(ap50.values()))) if ap50 else 0.0, ap50)
