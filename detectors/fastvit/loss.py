"""How far the network is from its targets: focal loss on classes and objectness, complete IoU on boxes."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import complete_box_iou_loss, sigmoid_focal_loss

from ..pyramid import losses

WEIGHTS = {"classes": 1.0, "objectness": 0.5, "boxes": 2.0}


class Losses(losses.Losses):
    """The parts of the loss of one batch, scalars that carry gradient, each a mean over the cells that hold objects."""

    weights = WEIGHTS


def by_cell(boxes: Tensor, logits: Tensor, targets: Sequence[Tensor]) -> dict[str, Tensor]:
    """What each cell adds to each part of the loss, (B, A) by name: from boxes (B, A, 4) xyxy px, logits (B, A, nc) and
    the stacked targets (B, 5 + nc, h, w) of each level.

    Focal loss: https://arxiv.org/abs/1708.02002 (alpha 0.25, gamma 2); complete IoU: https://arxiv.org/abs/1911.08287.
    The objectness of a cell is its largest class score.
    """
    wanted = losses.wanted(targets)
    logits = logits.float()
    placed = torch.zeros_like(wanted.objectness)
    placed[wanted.hit] = complete_box_iou_loss(boxes[wanted.hit], wanted.boxes)
    classes = sigmoid_focal_loss(logits, wanted.classes, alpha=0.25, gamma=2.0).sum(2)
    objectness = sigmoid_focal_loss(logits.amax(2), wanted.objectness, alpha=0.25, gamma=2.0)
    parts = {"classes": classes, "objectness": objectness, "boxes": placed}
    return {name: part / wanted.positives for name, part in parts.items()}


def loss(boxes: Tensor, logits: Tensor, targets: Sequence[Tensor]) -> Losses:
    """Losses of a batch; arguments as in ``by_cell``."""
    return Losses.of(by_cell(boxes, logits, targets))
