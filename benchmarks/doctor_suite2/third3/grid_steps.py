"""Three levels, distances from the middle of a cell by softplus; points from steps along both sides of the map."""

import torch
from torch import nn

from benchmarks.doctor_suite.grid_head import WatcherHead

STRIDES = (8, 16, 32)
OPTIONS = {"step": 64}


class Steps(nn.Module):
    bins, anchors, offset = 1, 1, 0.5

    def __init__(self):
        super().__init__()
        torch.manual_seed(31)
        self.names = {0: "ant", 1: "bee", 2: "fly"}
        self.stem = nn.Conv2d(3, 14, 8, 8)
        self.down = nn.ModuleList(nn.Conv2d(14, 14, 2, 2) for _ in range(2))
        self.cls = nn.ModuleList(nn.Conv2d(14, 3, 1) for _ in STRIDES)
        self.box = nn.ModuleList(nn.Conv2d(14, 4, 1) for _ in STRIDES)
        for level in range(3):
            nn.init.normal_(self.cls[level].weight, std=3.5 * 2**level)
            nn.init.normal_(self.box[level].weight, std=2.5 * 2**level)

    def declared_strides(self):
        return STRIDES

    def forward(self, images):
        x = self.stem(images).relu()
        maps = [x, *(x := conv(x).relu() for conv in self.down)]
        logits = [self.classes_out(i, self.cls[i](maps[i])) for i in range(3)]
        raw = [self.boxes_out(i, self.box[i](maps[i])) for i in range(3)]
        return maps, logits, raw

    def classes_out(self, level, made):
        return made

    def boxes_out(self, level, made):
        return made

    def decode(self, level, raw, shape):
        step = STRIDES[level]
        x = torch.arange(shape[1]) * step + step / 2
        y = torch.arange(shape[0]) * step + step / 2
        points = torch.cartesian_prod(y, x).flip(1).T
        sides = nn.functional.softplus(raw) * STRIDES[level]
        return torch.cat((points - sides[:2], points + sides[2:]))

    def describe_head(self):
        return WatcherHead(self)


def make():
    return Steps().eval()
