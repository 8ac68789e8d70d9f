"""What validation keeps of one image's prediction, as the model is and with each level muted."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from anatomy.arguments import share, whole_number

from ..settings import MAX_DET
from .suppressed import choose_by_nms
from .table import EvaluationRows
from .top import choose_by_top


def evaluation_rows(
    boxes: Any,
    scores: Any,
    level: Any,
    *,
    conf: float = 0.001,
    iou: float = 0.7,
    max_det: int = MAX_DET,
    nms: bool = True,
    ablation: bool = False,
) -> EvaluationRows:
    """The rows of the ``evaluation`` table that one image gives.

    ``boxes`` (A, 4) float32 xyxy px of the network input, as Ultralytics' ``xywh2xyxy`` makes them; ``scores`` (nc, A)
    float32 probabilities; ``level`` (A,) of each anchor; all anchors of the head. ``nms=False``: a one-to-one head,
    whose two top-k choose (``Detect.postprocess``). ``max_det``: see ``validation_limit``.

    The plain selection equals ``non_max_suppression(..., multi_label=True)`` bit for bit, without its time limit.
    With ``ablation``, rows suffice for every muted level and every silent row (level, class): after NMS, each muted
    level has its own; of a one-to-one head, the pool does. Raises ValueError for shapes that do not fit together, and
    where NMS itself couples the classes of an image (see ``choose_by_nms``).
    """
    boxes, scores = torch.as_tensor(boxes).detach().cpu(), torch.as_tensor(scores).detach().cpu()
    level = torch.as_tensor(level).cpu().long()
    _check(boxes, scores, level)
    conf, iou = share(conf, "conf"), share(iou, "iou")
    if whole_number(max_det, "max_det") < 1:
        raise ValueError(f"max_det must be at least 1, but {max_det!r} was given.")
    if nms:
        return choose_by_nms(boxes, scores, level, conf=conf, iou=iou, max_det=max_det, ablation=ablation)
    return choose_by_top(boxes, scores, level, conf=conf, max_det=max_det, ablation=ablation)


def validation_limit(objects: Any, max_det: int = MAX_DET) -> int:
    """The boxes an image that validation keeps, given the number of ``objects`` of each image.

    Ultralytics raises its default, and no other number, to the largest number of objects.
    """
    largest = int(np.max(np.asarray(objects), initial=0))
    return max(max_det, largest) if max_det == MAX_DET else max_det


def _check(boxes: Tensor, scores: Tensor, level: Tensor) -> None:
    fits = boxes.ndim == 2 and boxes.shape[1] == 4 and scores.ndim == 2 and level.ndim == 1
    if not fits or not len(boxes) == scores.shape[1] == len(level):
        shapes = ", ".join(str(tuple(given.shape)) for given in (boxes, scores, level))
        raise ValueError(f"boxes (A, 4), scores (nc, A) and level (A,) must agree in A, but {shapes} were given.")
    if boxes.dtype != torch.float32 or scores.dtype != torch.float32:
        raise ValueError(
            f"boxes and scores must be float32, as validation has them, but {boxes.dtype} and {scores.dtype} were "
            "given. Consider `.float()`."
        )
