"""The neck: path aggregation (https://arxiv.org/abs/1803.01534) of MobileOne blocks, top-down, then bottom-up."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import mobile_one


class PathAggregation(nn.Module):
    """Three feature maps in, three of the same shapes out, each having seen the others."""

    def __init__(self, channels: tuple[int, int, int], branches: int):
        super().__init__()
        fine, middle, coarse = channels
        block = partial(mobile_one, se=True, branches=branches)
        self.top_down = nn.ModuleList((block(coarse + middle, middle), block(middle + fine, fine)))
        self.down = nn.ModuleList((block(fine, fine, 7, stride=2), block(middle, middle, 7, stride=2)))
        self.bottom_up = nn.ModuleList((block(fine + middle, middle), block(middle + coarse, coarse)))

    def forward(self, pyramid: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        p0, p1, p2 = pyramid
        p1 = self.top_down[0](torch.cat((_resized(p2, p1), p1), 1))
        p0 = self.top_down[1](torch.cat((_resized(p1, p0), p0), 1))
        p1 = self.bottom_up[0](torch.cat((self.down[0](p0), p1), 1))
        p2 = self.bottom_up[1](torch.cat((self.down[1](p1), p2), 1))
        return p0, p1, p2


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)
