"""How far the network is from its targets: focal loss on classes and objectness, complete IoU on boxes."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torchvision.ops import complete_box_iou_loss, sigmoid_focal_loss

from ..pyramid.targets import STRIDES
from .head import points

WEIGHTS = {"classes": 1.0, "objectness": 0.5, "boxes": 2.0}


@dataclass(frozen=True)
class Losses:
    """The parts of the loss of one batch, scalars that carry gradient, each a mean over the cells that hold objects."""

    classes: Tensor
    objectness: Tensor
    boxes: Tensor

    weights: ClassVar[dict[str, float]] = WEIGHTS

    @property
    def total(self) -> Tensor:
        return sum(weight * getattr(self, name) for name, weight in self.weights.items())

    def numbers(self) -> dict[str, float]:
        """The parts and the total without gradient."""
        return {name: float(getattr(self, name).detach()) for name in ("total", *self.weights)}


def by_cell(boxes: Tensor, logits: Tensor, targets: list[Tensor]) -> dict[str, Tensor]:
    """What each cell adds to each part of the loss, (B, A) by name: from boxes (B, A, 4) xyxy px, logits (B, A, nc) and
    the stacked targets (B, 5 + nc, h, w) of each level.

    Focal loss: https://arxiv.org/abs/1708.02002 (alpha 0.25, gamma 2); complete IoU: https://arxiv.org/abs/1911.08287.
    The objectness of a cell is its largest class score.
    """
    target = torch.cat([level.flatten(2) for level in targets], 2).permute(0, 2, 1)  # (B, A, 5 + nc)
    hit = target[..., 4] > 0
    middle, _ = points([tuple(level.shape[2:]) for level in targets], STRIDES, boxes)
    middle = middle.T.expand(len(boxes), -1, -1)[hit]
    wanted = torch.cat((middle - target[..., :2][hit], middle + target[..., 2:4][hit]), 1)
    positives = hit.sum().clamp(min=1)
    logits = logits.float()
    placed = torch.zeros_like(target[..., 4])
    placed[hit] = complete_box_iou_loss(boxes[hit], wanted)
    return {
        "classes": sigmoid_focal_loss(logits, target[..., 5:], alpha=0.25, gamma=2.0).sum(2) / positives,
        "objectness": sigmoid_focal_loss(logits.amax(2), target[..., 4], alpha=0.25, gamma=2.0) / positives,
        "boxes": placed / positives,
    }


def loss(boxes: Tensor, logits: Tensor, targets: list[Tensor]) -> Losses:
    """Losses of a batch; arguments as in ``by_cell``."""
    return Losses(**{name: part.sum() for name, part in by_cell(boxes, logits, targets).items()})
