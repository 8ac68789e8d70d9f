"""How far the network is from its targets, as YOLOX counts it: overlap, objectness and classes."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from ..pyramid import losses
from ..pyramid.outputs import flat
from ..pyramid.targets import STRIDES
from .head import LevelOutput, decode

WEIGHTS = {"boxes": 5.0, "objectness": 1.0, "classes": 1.0}


class Losses(losses.Losses):
    """The parts of the loss of one batch, scalars that carry gradient, each a sum over the number of positives."""

    weights = WEIGHTS


def by_cell(outputs: Sequence[LevelOutput], targets: Sequence[Tensor]) -> dict[str, Tensor]:
    """What each cell adds to each part of the loss, (B, A) by name: from the outputs and the stacked targets
    (B, 5 + nc, h, w) of each level.

    Boxes: 1 - IoU^2. Classes: cross-entropy in the positives, towards the IoU (https://arxiv.org/abs/2107.08430).
    """
    wanted = losses.wanted(targets)
    hit = wanted.hit
    overlap = paired_iou(decode([level.boxes for level in outputs], STRIDES)[hit], wanted.boxes)
    classes = flat([level.classes for level in outputs]).float()[hit]
    objectness = flat([level.objectness for level in outputs]).float()[..., 0]
    label = wanted.classes[hit] * overlap.detach()[:, None]
    parts = {name: torch.zeros_like(wanted.objectness) for name in ("boxes", "classes")}
    parts["boxes"][hit] = 1 - overlap**2
    parts["classes"][hit] = cross_entropy(classes, label, reduction="none").sum(1)
    parts["objectness"] = cross_entropy(objectness, hit.float(), reduction="none")
    return {name: part / wanted.positives for name, part in parts.items()}


def loss(outputs: Sequence[LevelOutput], targets: Sequence[Tensor]) -> Losses:
    """Losses of a batch; arguments as in ``by_cell``."""
    return Losses.of(by_cell(outputs, targets))


def paired_iou(a: Tensor, b: Tensor) -> Tensor:
    """Overlap of box i of ``a`` with box i of ``b``, (n, 4) xyxy each -> (n,); differentiable."""
    sides = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    shared = sides.prod(1)
    return shared / ((a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - shared)
