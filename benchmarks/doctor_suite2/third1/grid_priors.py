"""Three levels, three priors a cell: a sigmoid of the centre from the corner of its cell, exponentials of sides."""

import torch
from torch import nn

from benchmarks.doctor_suite.grid_head import WatcherHead

STRIDES = (8, 16, 32)
PRIORS = (((10, 13), (16, 30), (33, 23)), ((30, 61), (62, 45), (59, 119)), ((116, 90), (156, 198), (373, 326)))
OPTIONS = {"step": 64}


class Darknet(nn.Module):
    bins, anchors, offset = 1, 3, 0.0

    def __init__(self):
        super().__init__()
        torch.manual_seed(12)
        self.names = {0: "left", 1: "right"}
        self.features = nn.ModuleList((nn.Conv2d(3, 16, 8, 8), nn.Conv2d(16, 16, 2, 2), nn.Conv2d(16, 16, 2, 2)))
        self.cls = nn.ModuleList(nn.Conv2d(16, 3 * 2, 1) for _ in STRIDES)
        self.box = nn.ModuleList(nn.Conv2d(16, 3 * 4, 1) for _ in STRIDES)
        for level, conv in enumerate(self.cls):
            nn.init.normal_(conv.weight, std=5.0 * 1.5**level)
        for level, conv in enumerate(self.box):
            nn.init.normal_(conv.weight, std=1.5 * 1.3**level)

    def declared_strides(self):
        return (8, 16, 32)

    def forward(self, images):
        maps = []
        for conv in self.features:
            images = nn.functional.leaky_relu(conv(images), 0.1)
            maps.append(images)
        logits = [self.classes_out(i, conv(x)) for i, (conv, x) in enumerate(zip(self.cls, maps, strict=True))]
        raw = [self.boxes_out(i, conv(x)) for i, (conv, x) in enumerate(zip(self.box, maps, strict=True))]
        return maps, logits, raw

    def classes_out(self, level, made):
        return made

    def boxes_out(self, level, made):
        return made

    def decode(self, level, raw, shape):
        """``raw`` (4, h * w * 3)."""
        rows, cols = shape
        grid_y, grid_x = (
            part.float() for part in torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
        )
        cells = torch.stack((grid_x.flatten(), grid_y.flatten())).repeat_interleave(3, 1)
        priors = torch.tensor(PRIORS[level]).float().T.repeat(1, rows * cols)
        centre = (raw[:2].sigmoid() + cells) * STRIDES[level]
        half = (0.2 * raw[2:]).clamp(-1, 1).exp() * priors / 2
        return torch.cat((centre - half, centre + half))

    def describe_head(self):
        return WatcherHead(self)


def make():
    return Darknet().eval()
