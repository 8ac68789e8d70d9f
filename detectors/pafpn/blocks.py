"""The pieces of backbone and neck: convolutions, ELAN, pyramid pooling with dilated convolutions, RepConv."""

from collections.abc import Callable

import torch
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn
from torch.nn import functional as F

Convolution = Callable[..., nn.Module]
"""``make(in_chs, out_chs, kernel=1, *, stride=1, dilation=1)``: a convolution, and what belongs to it."""


def bare(in_chs: int, out_chs: int, kernel: int = 1, *, stride: int = 1, dilation: int = 1) -> nn.Module:
    """A convolution and nothing else; the grid stays, or is divided by the stride."""
    padding = 0 if stride == kernel else dilation * (kernel // 2)
    return nn.Conv2d(in_chs, out_chs, kernel, stride, padding, dilation)


def normalized(in_chs: int, out_chs: int, kernel: int = 1, *, stride: int = 1, dilation: int = 1) -> nn.Module:
    """The same convolution, and a layer normalization of what it puts out."""
    return nn.Sequential(bare(in_chs, out_chs, kernel, stride=stride, dilation=dilation), LayerNorm2d(out_chs))


class Inner(nn.Sequential):
    """What stands in an ELAN block for a 3 x 3 convolution: 7 x 7 depthwise, LayerNorm, 1 x 1, GELU, 1 x 1."""

    def __init__(self, channels: int):
        super().__init__(
            nn.Conv2d(channels, channels, 7, padding=3, groups=channels),
            LayerNorm2d(channels),
            nn.Conv2d(channels, channels, 1),
            nn.GELU(),
            nn.Conv2d(channels, channels, 1),
        )


class Elan(nn.Module):
    """Efficient layer aggregation (YOLOv7, https://arxiv.org/abs/2207.02696): two 1 x 1 convolutions to half the width,
    four inner convolutions after one of them; both, and what is there after two and four of these, are joined."""

    def __init__(self, in_chs: int, out_chs: int, conv: Convolution):
        super().__init__()
        width = out_chs // 2
        self.aside, self.enter = conv(in_chs, width), conv(in_chs, width)
        self.first = nn.Sequential(Inner(width), Inner(width))
        self.second = nn.Sequential(Inner(width), Inner(width))
        self.join = conv(4 * width, out_chs)

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        once = self.first(entered)
        return self.join(torch.cat((self.aside(x), entered, once, self.second(once)), 1))


class DilatedPooling(nn.Module):
    """SPPCSPC of YOLOv7, with dilated 3 x 3 convolutions in place of the max pools: a wide view beside a plain path."""

    def __init__(self, in_chs: int, out_chs: int, conv: Convolution, dilations: tuple[int, ...] = (3, 4, 6)):
        super().__init__()
        self.aside = conv(in_chs, out_chs)
        self.enter = nn.Sequential(conv(in_chs, out_chs), conv(out_chs, out_chs, 3), conv(out_chs, out_chs))
        self.views = nn.ModuleList(conv(out_chs, out_chs, 3, dilation=dilation) for dilation in dilations)
        self.gather = nn.Sequential(conv((1 + len(dilations)) * out_chs, out_chs), conv(out_chs, out_chs, 3))
        self.join = conv(2 * out_chs, out_chs)

    def forward(self, x: Tensor) -> Tensor:
        entered = self.enter(x)
        seen = self.gather(torch.cat((entered, *(view(entered) for view in self.views)), 1))
        return self.join(torch.cat((seen, self.aside(x)), 1))


class RepConv(nn.Module):
    """3 x 3 and 1 x 1 convolution side by side, then SiLU (https://arxiv.org/abs/2101.03697); ``reparameterize`` merges
    both into one 3 x 3 convolution that puts out the same."""

    def __init__(self, in_chs: int, out_chs: int):
        super().__init__()
        self.wide, self.point = nn.Conv2d(in_chs, out_chs, 3, padding=1), nn.Conv2d(in_chs, out_chs, 1)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.wide(x) if self.point is None else self.wide(x) + self.point(x))

    @torch.no_grad()
    def reparameterize(self) -> None:
        if self.point is not None:
            self.wide.weight += F.pad(self.point.weight, (1, 1, 1, 1))
            if self.wide.bias is not None and self.point.bias is not None:
                self.wide.bias += self.point.bias
            self.point = None
