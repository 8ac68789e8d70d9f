"""The neck: pyramid pooling, then path aggregation (https://arxiv.org/abs/1803.01534) through ELAN blocks."""

import torch
from torch import Tensor, nn

from .backbone import Four
from .blocks import DilatedPooling, Elan, RepConv, bare, normalized


class ElanPafpn(nn.Module):
    """Maps at strides 8, 16 and 32 of ``widths[1:]`` channels in, three of ``widths[1]`` out.

    In between the levels have ``widths[:3]`` channels. Up: 1 x 1 convolution, nearest neighbour; down: 2 x 2
    convolution of stride 2. ``norm`` puts a LayerNorm behind each of its convolutions but RepConv and those inside
    ELAN's inner ones, which have their own.
    """

    def __init__(self, widths: Four, *, norm: bool):
        super().__init__()
        conv = normalized if norm else bare
        fine, middle, coarse, deepest = widths
        self.pooling = DilatedPooling(deepest, coarse, conv)
        self.up = nn.ModuleList(
            nn.Sequential(conv(chs, chs // 2), nn.Upsample(scale_factor=2)) for chs in (coarse, middle)
        )
        self.across = nn.ModuleList((conv(coarse, coarse // 2), conv(middle, middle // 2)))
        self.top_down = nn.ModuleList((Elan(coarse, middle, conv), Elan(middle, fine, conv)))
        self.down = nn.ModuleList((conv(fine, middle, 2, stride=2), conv(middle, coarse, 2, stride=2)))
        self.bottom_up = nn.ModuleList((Elan(2 * middle, middle, conv), Elan(2 * coarse, coarse, conv)))
        self.out = nn.ModuleList(RepConv(chs, middle) for chs in (fine, middle, coarse))

    def forward(self, pyramid: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        fine, middle, coarse = pyramid
        coarse = self.pooling(coarse)
        middle = self.top_down[0](torch.cat((self.up[0](coarse), self.across[0](middle)), 1))
        fine = self.top_down[1](torch.cat((self.up[1](middle), self.across[1](fine)), 1))
        middle = self.bottom_up[0](torch.cat((self.down[0](fine), middle), 1))
        coarse = self.bottom_up[1](torch.cat((self.down[1](middle), coarse), 1))
        return tuple(out(level) for out, level in zip(self.out, (fine, middle, coarse), strict=True))
