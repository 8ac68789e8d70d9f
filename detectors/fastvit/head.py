"""The head: a box branch and a class branch a level, and how its raw numbers become boxes."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..pyramid import detector
from ..pyramid.outputs import flat, grids, points
from .blocks import LevelOutput, mobile_one

BINS = 16
"""Raw numbers for each side of a box; their mean is the side."""
PRIOR = 0.01
"""The score that every class starts with, so that the many empty cells do not drown the first steps (Focal Loss,
https://arxiv.org/abs/1708.02002, section 4.1)."""


class LevelHead(detector.LevelHead):
    """Boxes and class logits of one level; ``classify`` is the 1 x 1 convolution whose rows are the classes."""

    def __init__(self, channels: int, classes: int, branches: int):
        super().__init__()
        self.in_channels = channels
        box_width, class_width = max(BINS, channels // 4, 4 * BINS), max(channels, classes)
        self.box = mobile_one(channels, box_width, se=True, branches=branches)
        self.regress = nn.Conv2d(box_width, 4 * BINS, 1)
        self.cls = mobile_one(channels, class_width, se=True, branches=branches)
        self.classify = nn.Conv2d(class_width, classes, 1)

    def forward(self, x: Tensor) -> LevelOutput:
        features = self.cls(x)
        return LevelOutput(self.regress(self.box(x)), self.classify(features), features, x)

    @torch.no_grad()
    def start_unsure(self, side: float) -> None:
        """Initial biases: each class scores ``PRIOR``, each side is ``side`` strides."""
        nn.init.normal_(self.classify.weight, std=0.01)
        rare, wide = -math.log((1 - PRIOR) / PRIOR), math.log(math.expm1(side))
        for conv, value in ((self.classify, rare), (self.regress, wide)):
            if conv.bias is not None:
                nn.init.constant_(conv.bias, value)


def mean_side(raw: Tensor) -> Tensor:
    """(B, 4 * BINS, h, w) raw numbers -> (B, 4, h * w): the mean of each side's sixteen."""
    return raw.unflatten(1, (4, BINS)).mean(2).flatten(2)


def distances(outputs: Sequence[LevelOutput]) -> Tensor:
    """Raw sides (B, 4, A) of all levels, in the order of the anchors."""
    return torch.cat([mean_side(level.boxes.float()) for level in outputs], 2)


def decode(outputs: Sequence[LevelOutput], strides: Sequence[float]) -> Tensor:
    """Boxes (B, A, 4) xyxy px of the network input: softplus distances in strides from each cell's middle (FCOS,
    https://arxiv.org/abs/1904.01355, with softplus, which has no largest value, in place of the exponential)."""
    middle, step = points(grids([level.boxes for level in outputs]), strides, outputs[0].boxes)
    left_top, right_bottom = (F.softplus(distances(outputs)) * step).chunk(2, 1)
    return torch.cat((middle - left_top, middle + right_bottom), 1).permute(0, 2, 1)


def flat_logits(outputs: Sequence[LevelOutput]) -> Tensor:
    """Class logits (B, A, nc) of all levels, in the order of the anchors."""
    return flat([level.classes for level in outputs])
