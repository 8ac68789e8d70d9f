"""Two coarse levels, eight bins a side, points made once for all levels in numpy."""

import numpy as np
import torch
from torch import nn

from benchmarks.doctor_suite.grid_head import WatcherHead

STRIDES = (16, 32)
BINS = 8
OPTIONS = {"step": 64}


def anchor_points(shape, stride, offset=0.5):
    sx = np.arange(shape[1]) + offset
    sy = np.arange(shape[0]) + offset
    grid = np.stack(np.meshgrid(sx, sy), -1)
    return torch.from_numpy(grid.reshape(-1, 2).T * stride).float()


class Bins(nn.Module):
    bins, anchors, offset = BINS, 1, 0.5

    def __init__(self):
        super().__init__()
        torch.manual_seed(13)
        self.names = {0: "a", 1: "b", 2: "c"}
        self.patch = nn.Conv2d(3, 16, 16, 16)
        self.merge = nn.Conv2d(16, 16, 2, 2)
        self.cls = nn.ModuleList(nn.Conv2d(16, 3, 3, padding=1) for _ in STRIDES)
        self.box = nn.ModuleList(nn.Conv2d(16, 4 * BINS, 1) for _ in STRIDES)
        for level in range(2):
            nn.init.normal_(self.cls[level].weight, std=3.0 * 2**level)
            nn.init.normal_(self.box[level].weight, std=4.0 * 2**level)

    def declared_strides(self):
        return STRIDES

    def forward(self, images):
        fine = self.patch(images).relu()
        maps = [fine, self.merge(fine).relu()]
        logits = [self.classes_out(i, self.cls[i](maps[i])) for i in range(2)]
        raw = [self.boxes_out(i, self.box[i](maps[i])) for i in range(2)]
        return maps, logits, raw

    def classes_out(self, level, made):
        return made

    def boxes_out(self, level, made):
        return made

    def decode(self, level, raw, shape):
        stride = STRIDES[level]
        points = anchor_points(shape, stride)
        sides = torch.einsum("sbn,b->sn", raw.view(4, BINS, -1).softmax(1), torch.arange(BINS).float()) * stride
        return torch.cat((points - sides[:2], points + sides[2:]))

    def describe_head(self):
        return WatcherHead(self)


def make():
    return Bins().eval()
