"""What of an explained detection a batch of network inputs still holds."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from anatomy import Outputs, UnsupportedModelError, evaluating

from .subject import Subject
from .windows import Window, as_boxes, whole_frame

CLASS = ("logit", "score", "difference")  # what numbers of a class are called


def presences(subjects: Sequence[Subject], window: Window | None = None) -> Callable[[Tensor], Tensor]:
    """What of each explained detection a batch of network inputs (B, 3, H, W) still holds, (n, B).

    Of a class: the best over all anchors of IoU with the explained box times the probability of the class; this is the
    similarity of D-RISE (https://arxiv.org/abs/2006.03204) without objectness, which these heads do not have. Where a
    head does not decode step by step: the probability at the explained cell. Of an edge or an entropy: the number.
    ``window``: the inputs are that part of the whole; cells are not found again in a shrunk one, whose number is 0.
    """
    trace = subjects[0].trace
    head, place = trace.head, window or whole_frame(trace)
    boxes = place.boxes(as_boxes(trace, [one.anchor for one in subjects]))

    def held(frames: Tensor) -> Tensor:
        with evaluating(head):
            made = head.forward(frames, trace.branch)
        try:
            decoded = [head.level_boxes(level, raw).flatten(2) for level, raw in enumerate(made.raw)]
        except UnsupportedModelError:
            decoded = None
        return torch.stack([_held(one, box, made, decoded, place) for one, box in zip(subjects, boxes, strict=True)])

    return held


def _held(one: Subject, box: Tensor, made: Outputs, decoded: list[Tensor] | None, place: Window) -> Tensor:
    logits = made.logits[one.level]
    if one.what in CLASS and decoded is not None:
        chances = [one.trace.head.probabilities(level, dim=1) for level in made.logits]
        scores = [level[:, one.class_id].flatten(1) for level in chances]
        fits = [_overlap(level, box.to(level)) for level in decoded]
        return torch.stack([(score * fit).amax(1) for score, fit in zip(scores, fits, strict=True)]).amax(0)
    if place.shrunk:
        return logits.new_zeros(len(logits))
    row, col = place.cell(one.trace.steps[one.level], one.row, one.col)
    if one.what in CLASS:
        return one.trace.head.probabilities(logits[:, :, row, col], dim=1)[:, one.class_id]
    return one.pick(logits, made.raw[one.level], row, col)


def _overlap(boxes: Tensor, box: Tensor) -> Tensor:
    """IoU of (B, 4, A) xyxy boxes with one (4,), (B, A)."""
    from torchvision.ops import box_iou

    low, high = boxes[:, :2], boxes[:, 2:]
    filled = torch.cat((low, torch.maximum(low, high)), 1)  # a side before the other leaves nothing
    overlap = box_iou(filled.mT.flatten(0, 1), box[None])
    return overlap.view(len(boxes), -1).nan_to_num(0.0)
