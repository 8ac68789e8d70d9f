"""Small random networks of torchvision's FCOS and RetinaNet that detect something."""

from functools import partial
from itertools import pairwise

import torch
from torch import nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelP6P7

CHANNELS = 32  # GroupNorm(32) stands in the heads of FCOS
LEVELS = ["P3", "P4", "P5", "P6", "P7"]


class TinyBackbone(nn.Module):
    """P3 to P7, or P3 to P5, of 32 channels out of five convolutions."""

    out_channels = CHANNELS

    def __init__(self, levels: int = 5):
        super().__init__()
        sizes = [3, 8, 16, 16, 32, 32]
        self.steps = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU()) for a, b in pairwise(sizes)
        )
        self.pyramid = FeaturePyramidNetwork(
            [16, 32, 32], CHANNELS, LastLevelP6P7(CHANNELS, CHANNELS) if levels == 5 else None
        )

    def forward(self, x):
        maps = {}
        for index, step in enumerate(self.steps):
            x = step(x)
            if index >= 2:
                maps[str(index)] = x
        return self.pyramid(maps)


def tiny(family: str, classes: int = 5, seed: int = 0, levels: int = 5, **arguments):
    """A random FCOS or RetinaNet ("fcos", "retinanet"), 192 to 256 px: about 3 % of its pairs of anchor and class
    score above a half (before centerness)."""
    torch.manual_seed(seed)
    arguments = {"min_size": 192, "max_size": 256, **arguments}
    if family == "fcos":
        arguments["anchor_generator"] = AnchorGenerator(
            ((8,), (16,), (32,), (64,), (128,))[:levels], ((1.0,),) * levels
        )
    else:
        sizes = tuple((size, int(size * 1.5)) for size in (16, 32, 64, 128, 256)[:levels])
        arguments["anchor_generator"] = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))
        arguments["head"] = RetinaNetHead(CHANNELS, 6, classes, partial(nn.GroupNorm, 32))
    net = {"fcos": FCOS, "retinanet": RetinaNet}[family](TinyBackbone(levels), classes, **arguments).eval()
    head, classify = net.head, net.head.classification_head.cls_logits
    for module in head.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    with torch.no_grad():
        maps = list(net.backbone(torch.rand(1, 3, 16, 16).repeat_interleave(16, 2).repeat_interleave(16, 3)).values())
        for conv, name, spread in (
            (classify, "cls_logits", 1.5),
            (head.regression_head.bbox_reg, "bbox_regression", 0.5),
        ):
            conv.weight.mul_(spread / head(maps)[name].std())
            conv.bias.normal_(0, 0.3)
        classify.bias.sub_(head(maps)["cls_logits"].flatten().quantile(0.97))
        head.regression_head.bbox_reg.bias.add_(2.0 if family == "fcos" else 0.0)
    return net
