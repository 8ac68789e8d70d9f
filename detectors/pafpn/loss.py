"""How far the network is from its targets, as YOLOX counts it: overlap, objectness and classes."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from detectors.fastvit.head import points
from detectors.fastvit.loss import Losses as PartsOfLoss
from detectors.pyramid.targets import STRIDES

from .head import LevelOutput, decode, flat

WEIGHTS = {"boxes": 5.0, "objectness": 1.0, "classes": 1.0}


class Losses(PartsOfLoss):
    """The parts of the loss of one batch, scalars that carry gradient, each a sum over the number of positives."""

    weights = WEIGHTS


def by_cell(outputs: Sequence[LevelOutput], targets: Sequence[Tensor]) -> dict[str, Tensor]:
    """What each cell adds to each part of the loss, (B, A) by name: from the outputs and the stacked targets
    (B, 5 + nc, h, w) of each level, as ``detectors.pyramid.targets.encode`` makes them.

    Boxes: 1 - IoU^2. Classes: cross-entropy in the positives, towards the IoU (https://arxiv.org/abs/2107.08430).
    """
    target = flat(targets)
    hit = target[..., 4] > 0
    middle, _ = points([tuple(level.shape[2:]) for level in targets], STRIDES, target)
    middle = middle.T.expand(len(target), -1, -1)[hit]
    wanted = torch.cat((middle - target[..., :2][hit], middle + target[..., 2:4][hit]), 1)
    overlap = paired_iou(decode([level.boxes for level in outputs], STRIDES)[hit], wanted)
    classes = flat([level.classes for level in outputs]).float()[hit]
    objectness = flat([level.objectness for level in outputs]).float()[..., 0]
    positives = hit.sum().clamp(min=1)
    parts = {name: torch.zeros_like(target[..., 4]) for name in ("boxes", "classes")}
    parts["boxes"][hit] = 1 - overlap**2
    label = target[..., 5:][hit] * overlap.detach()[:, None]
    parts["classes"][hit] = cross_entropy(classes, label, reduction="none").sum(1)
    parts["objectness"] = cross_entropy(objectness, hit.float(), reduction="none")
    return {name: part / positives for name, part in parts.items()}


def loss(outputs: Sequence[LevelOutput], targets: Sequence[Tensor]) -> Losses:
    """Losses of a batch; arguments as in ``by_cell``."""
    return Losses(**{name: part.sum() for name, part in by_cell(outputs, targets).items()})


def paired_iou(a: Tensor, b: Tensor) -> Tensor:
    """Overlap of box i of ``a`` with box i of ``b``, (n, 4) xyxy each -> (n,); differentiable."""
    sides = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    shared = sides.prod(1)
    return shared / ((a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - shared)
