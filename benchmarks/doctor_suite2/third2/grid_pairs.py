"""Two levels, two anchors a cell, four distances by softplus; the anchors of a cell stand together."""

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.doctor_suite.grid_head import WatcherHead

STRIDES = (8, 16)


class Pairs(nn.Module):
    bins, anchors, offset = 1, 2, 0.5

    def __init__(self):
        super().__init__()
        torch.manual_seed(21)
        self.names = {0: "cat", 1: "dog", 2: "cow"}
        self.one = nn.Conv2d(3, 10, 8, 8)
        self.two = nn.Conv2d(10, 10, 2, 2)
        self.cls = nn.ModuleList(nn.Conv2d(10, 2 * 3, 1) for _ in STRIDES)
        self.box = nn.ModuleList(nn.Conv2d(10, 2 * 4, 1) for _ in STRIDES)
        for level in range(2):
            nn.init.normal_(self.cls[level].weight, std=4.0 * 2**level)
            nn.init.normal_(self.box[level].weight, std=3.0 * 2**level)

    def declared_strides(self):
        return STRIDES

    def forward(self, images):
        p3 = self.one(images).relu()
        maps = [p3, self.two(p3).relu()]
        logits = [self.classes_out(i, self.cls[i](maps[i])) for i in range(2)]
        raw = [self.boxes_out(i, self.box[i](maps[i])) for i in range(2)]
        return maps, logits, raw

    def classes_out(self, level, made):
        return made

    def boxes_out(self, level, made):
        return made

    def decode(self, level, raw, shape):
        h, w = shape
        stride = STRIDES[level]
        cell = torch.arange(h * w)
        x, y = cell.remainder(w), cell.div(w, rounding_mode="floor")
        points = (torch.stack((x, y)) + 0.5) * stride
        points = points.repeat_interleave(2, 1)
        sides = F.softplus(raw) * stride
        return torch.cat((points - sides[:2], points + sides[2:]))

    def describe_head(self):
        return WatcherHead(self)


def make():
    return Pairs().eval()


OPTIONS = {"step": 64}
