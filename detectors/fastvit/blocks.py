"""The pieces of the detector: MobileOne blocks of timm, spatial pyramid pooling, and what one level puts out."""

from typing import NamedTuple

import torch
from timm.models.fastvit import MobileOneBlock
from torch import Tensor, nn


class LevelOutput(NamedTuple):
    """What the head makes of one level, before any decoding."""

    boxes: Tensor
    """(B, 64, h, w): four sides of 16 raw numbers."""
    classes: Tensor
    """(B, nc, h, w) logits."""
    features: Tensor
    """(B, c, h, w), what the last class convolution reads."""
    inputs: Tensor | None = None
    """(B, c, h, w), what the head reads; None where the output was put together by hand."""


def mobile_one(in_chs: int, out_chs: int, kernel: int = 3, *, stride: int = 1, se: bool, branches: int) -> nn.Module:
    """A MobileOne block (https://arxiv.org/abs/2206.04040): parallel conv-BN branches that merge into one convolution.

    ``branches`` k x k convolutions, one 1 x 1 "scale" branch, and a BN shortcut where the shape allows it; then
    squeeze-and-excite (``se``, one sixteenth of the channels) and GELU.
    """
    return MobileOneBlock(in_chs, out_chs, kernel, stride=stride, use_se=se, num_conv_branches=branches)


class ConvBnRelu(nn.Sequential):
    """A 1 x 1 convolution without bias, batch normalization, ReLU."""

    def __init__(self, in_chs: int, out_chs: int):
        super().__init__(nn.Conv2d(in_chs, out_chs, 1, bias=False), nn.BatchNorm2d(out_chs), nn.ReLU(inplace=True))


class PyramidPooling(nn.Module):
    """Spatial pyramid pooling (https://arxiv.org/abs/1406.4729) as YOLO uses it: the shape stays, the view widens."""

    def __init__(self, channels: int, sizes: tuple[int, ...] = (5, 9, 13)):
        super().__init__()
        self.narrow = ConvBnRelu(channels, channels // 2)
        self.pools = nn.ModuleList(nn.MaxPool2d(size, stride=1, padding=size // 2) for size in sizes)
        self.widen = ConvBnRelu(channels // 2 * (1 + len(sizes)), channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.narrow(x)
        return self.widen(torch.cat((x, *(pool(x) for pool in self.pools)), 1))
