"""The backbone: a stem and four stages of ConvNeXt blocks (https://arxiv.org/abs/2201.03545), each ended by ELAN."""

from functools import partial

from timm.layers.norm import LayerNorm2d
from timm.models.convnext import ConvNeXtBlock
from torch import Tensor, nn

from .blocks import Convolution, Elan, bare, normalized

Four = tuple[int, int, int, int]


def stage(in_chs: int, out_chs: int, depth: int, conv: Convolution) -> nn.Module:
    """LayerNorm and a 2 x 2 convolution of stride 2, then ``depth`` ConvNeXt blocks, then ELAN."""
    return nn.Sequential(
        LayerNorm2d(in_chs),
        nn.Conv2d(in_chs, out_chs, 2, 2),
        *(ConvNeXtBlock(out_chs, conv_mlp=True, ls_init_value=None) for _ in range(depth)),
        Elan(out_chs, out_chs, conv),
    )


class Backbone(nn.Module):
    """(B, 3, H, W) in, maps of ``widths[1:]`` channels at strides 8, 16 and 32 out.

    ``norm`` puts a LayerNorm behind each of ELAN's own 1 x 1 convolutions.
    """

    def __init__(self, widths: Four, depths: Four, *, norm: bool):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, widths[0], 4, 2, 1), LayerNorm2d(widths[0]))
        before = (widths[0], *widths[:-1])
        self.stages = nn.ModuleList(map(partial(stage, conv=normalized if norm else bare), before, widths, depths))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps[1:])
