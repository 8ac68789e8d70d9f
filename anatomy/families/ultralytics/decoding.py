"""Boxes of one level from the raw numbers of its head, differentiable."""

import torch
from torch import Tensor

from ...head.pyramid import Pyramid


def level_boxes(raw: Tensor, reg_max: int, stride: float, offset: float) -> Tensor:
    """Raw box outputs (B, 4 * reg_max, h, w) as boxes (B, 4, h, w) xyxy px; a side is the mean of its bins.

    Generalized Focal Loss, https://arxiv.org/abs/2006.04388. ``offset`` of the anchor points in their cells.
    """
    bins = raw.unflatten(1, (4, reg_max))
    if reg_max > 1:
        steps = torch.arange(reg_max, device=raw.device, dtype=raw.dtype).view(-1, 1, 1)
        bins = bins.softmax(2) * steps
    left_top, right_bottom = bins.sum(2).split(2, 1)
    point = Pyramid.of([raw.shape[2:]], [stride], offset).lattice(0, raw)
    return torch.cat((point - left_top, point + right_bottom), 1) * stride
