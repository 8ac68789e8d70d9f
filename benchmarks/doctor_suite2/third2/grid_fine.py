"""Four levels from a stride of 4, distances from the upper left corner of a cell."""

import torch
from torch import nn

from benchmarks.doctor_suite.grid_head import WatcherHead

STRIDES = (4, 8, 16, 32)
OPTIONS = {"step": 64}


class Fine(nn.Module):
    bins, anchors, offset = 1, 1, 0.0

    def __init__(self):
        super().__init__()
        torch.manual_seed(22)
        self.names = dict(enumerate("abcde"))
        self.stages = nn.ModuleList((nn.Conv2d(3, 12, 4, 4), *(nn.Conv2d(12, 12, 2, 2) for _ in range(3))))
        self.cls = nn.ModuleList(nn.Conv2d(12, 5, 1) for _ in STRIDES)
        self.box = nn.ModuleList(nn.Conv2d(12, 4, 1) for _ in STRIDES)
        for level in range(4):
            nn.init.normal_(self.cls[level].weight, std=3.0 * 1.9**level)
            nn.init.normal_(self.box[level].weight, std=2.5 * 1.9**level)

    def declared_strides(self):
        return STRIDES

    def forward(self, images):
        maps = self.pyramid(images)
        logits = [self.classes_out(i, conv(x)) for i, (conv, x) in enumerate(zip(self.cls, maps, strict=True))]
        raw = [self.boxes_out(i, conv(x)) for i, (conv, x) in enumerate(zip(self.box, maps, strict=True))]
        return maps, logits, raw

    def pyramid(self, x):
        maps = []
        for stage in self.stages:
            x = stage(x).relu()
            maps.append(x)
        return maps

    def classes_out(self, level, made):
        return made

    def boxes_out(self, level, made):
        return made

    def decode(self, level, raw, shape):
        rows, cols = shape
        x = torch.arange(cols).repeat(rows)
        y = torch.arange(rows).repeat_interleave(cols)
        corner = torch.stack((x, y, x, y)) * STRIDES[level]
        signs = torch.tensor([-1, -1, 1, 1])[:, None]
        return corner + signs * nn.functional.softplus(raw) * STRIDES[level]

    def describe_head(self):
        return WatcherHead(self)


def make():
    return Fine().eval()
