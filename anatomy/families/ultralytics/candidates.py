"""What Ultralytics' non-maximum suppression saw of an image, and what it kept."""

from typing import Any

import torch
from torch import Tensor
from ultralytics.utils.metrics import batch_probiou, box_iou

from ...head.forward import Candidates
from .tap import Ending

NMS_CLASS_SHIFT = 7680.0  # px a class: `max_wh` of ultralytics.utils.nms.non_max_suppression
NMS_MOST = 30_000  # `max_nms` of the same: of more candidates it sees the best alone


def seen_by_nms(ending: Ending, nc: int) -> Candidates:
    """What ``ultralytics.utils.nms.non_max_suppression`` saw of this image, step by step as it chooses.

    ``nc`` is the number of classes.
    """
    args, prediction, anchors = ending.args, ending.prediction, ending.columns
    if anchors is None:
        anchors = (prediction[4 : 4 + nc].amax(0) > args.conf).nonzero().view(-1)
        prediction = prediction[:, anchors]
    confidence, class_id = prediction[4 : 4 + nc].max(0)
    seen = _chosen(args, confidence, class_id)
    if not len(ending.survivors) and args.max_det > 0:  # it keeps the best at least, unless its time was up before
        seen = seen[:0]
    row_of = {anchor: row for row, anchor in enumerate(anchors[seen].tolist())}
    survivors = [row_of[anchor] for anchor in ending.survivors.tolist()]
    return Candidates(
        anchor=anchors[seen],
        class_id=class_id[seen],
        confidence=confidence[seen].float(),
        boxes=_boxes(prediction, ending.rotated)[seen].float(),
        iou_threshold=args.iou,
        shift=0.0 if args.agnostic_nms else NMS_CLASS_SHIFT,
        pairwise_iou=batch_probiou if ending.rotated else _pairwise_iou,
        chained=ending.rotated,
        survivors=torch.tensor(survivors, device=anchors.device).long(),
    )


def _chosen(args: Any, confidence: Tensor, class_id: Tensor) -> Tensor:
    """Which of the predictions (m,) are confident enough and of a class that was asked for; of very many the best."""
    seen = confidence > args.conf
    if args.classes is not None:
        seen &= torch.isin(class_id, torch.as_tensor(args.classes, device=class_id.device))
    chosen = seen.nonzero().view(-1)
    if len(chosen) > NMS_MOST:
        chosen = chosen[confidence[chosen].argsort(descending=True)[:NMS_MOST]]
    return chosen


def _boxes(prediction: Tensor, rotated: bool) -> Tensor:
    """The boxes of a prediction (channels, m): (m, 4) xyxy, or (m, 5) xywhr where they have an angle."""
    if rotated:
        return torch.cat((prediction[:4].T, prediction[-1:].T), 1)
    return xywh_to_xyxy(prediction[:4].T)


def _pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    return box_iou(first, second, eps=0.0).double()


def xywh_to_xyxy(boxes: Tensor) -> Tensor:
    """(n, 4) centre-size boxes to corners, with the arithmetic of ``ultralytics.utils.ops.xywh2xyxy``."""
    centre, half = boxes[:, :2], boxes[:, 2:] / 2
    return torch.cat((centre - half, centre + half), 1)
