"""The decoupled head of YOLOX (https://arxiv.org/abs/2107.08430), and how its raw numbers become boxes and scores."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..pyramid import detector
from ..pyramid.outputs import flat, grids, points

PRIOR = 0.01
"""What class and objectness score at the start in every cell (https://arxiv.org/abs/1708.02002, section 4.1)."""


class LevelOutput(NamedTuple):
    """What the head makes of one level, before any decoding."""

    boxes: Tensor
    """(B, 4, h, w): the centre's x and y from the cell's corner in strides, and the logarithms of width and height."""
    classes: Tensor
    """(B, nc, h, w) logits."""
    objectness: Tensor
    """(B, 1, h, w) logits."""
    features: Tensor
    """(B, c, h, w), what the last class convolution reads."""
    inputs: Tensor
    """(B, c, h, w), what the head reads."""


def unit(channels: int, kernel: int, norm: bool) -> nn.Module:
    """A convolution, batch normalization where ``norm`` says so, SiLU."""
    conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=not norm)
    return nn.Sequential(conv, *([nn.BatchNorm2d(channels)] if norm else []), nn.SiLU())


class LevelHead(detector.LevelHead):
    """A 1 x 1 stem, then two 3 x 3 convolutions a branch; objectness shares the branch of the boxes."""

    def __init__(self, channels: int, classes: int, *, norm: bool):
        super().__init__()
        self.in_channels = channels
        self.stem = unit(channels, 1, norm)
        self.cls = nn.Sequential(unit(channels, 3, norm), unit(channels, 3, norm))
        self.box = nn.Sequential(unit(channels, 3, norm), unit(channels, 3, norm))
        self.classify, self.regress, self.detect = (nn.Conv2d(channels, count, 1) for count in (classes, 4, 1))
        for conv in (self.classify, self.detect):
            if conv.bias is not None:
                nn.init.constant_(conv.bias, -math.log((1 - PRIOR) / PRIOR))

    def forward(self, x: Tensor) -> LevelOutput:
        read = self.stem(x)
        features, box = self.cls(read), self.box(read)
        return LevelOutput(self.regress(box), self.classify(features), self.detect(box), features, x)


def decode(raw: Sequence[Tensor], strides: Sequence[float]) -> Tensor:
    """Boxes (B, A, 4) xyxy px of the network input from raw boxes (B, 4, h, w) a level (YOLOv3,
    https://arxiv.org/abs/1804.02767, section 2.1, without the sigmoid): width and height are exponentials."""
    middle, step = points(grids(raw), strides, raw[0])
    middle, step = middle.T, step[:, None]
    offset, size = flat(raw).float().chunk(2, 2)
    centre, half = middle + (offset - 0.5) * step, size.exp() * step / 2
    return torch.cat((centre - half, centre + half), 2)


def joint(classes: Tensor, objectness: Tensor) -> Tensor:
    """The logit of sigmoid(classes) * sigmoid(objectness), which broadcast: -log(exp(-c) + exp(-o) + exp(-c - o))."""
    return -torch.logaddexp(torch.logaddexp(-classes, -objectness), -classes - objectness)
