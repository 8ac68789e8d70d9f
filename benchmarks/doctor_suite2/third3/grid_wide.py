"""Two levels that see their neighbours, ten bins a side."""

import torch
from torch import nn

from benchmarks.doctor_suite.grid_head import WatcherHead

STRIDES = (8, 16)
BINS = 10
OPTIONS = {"step": 64}


class Wide(nn.Module):
    bins, anchors = BINS, 1
    offset = 0.5

    def __init__(self):
        super().__init__()
        torch.manual_seed(32)
        self.names = {0: "oak", 1: "elm", 2: "fir", 3: "yew"}
        self.stem = nn.Conv2d(3, 16, 8, 8)
        self.down = nn.Conv2d(16, 16, 2, 2)
        self.cls = nn.ModuleList(nn.Conv2d(16, 4, 3, padding=1) for _ in STRIDES)
        self.box = nn.ModuleList(nn.Conv2d(16, 4 * BINS, 3, padding=1) for _ in STRIDES)
        for level in range(2):
            nn.init.normal_(self.cls[level].weight, std=1.6 * 2**level)
            nn.init.normal_(self.box[level].weight, std=2.0 * 2**level)

    def declared_strides(self):
        return STRIDES

    def forward(self, images):
        fine = self.stem(images).relu()
        maps = [fine, self.down(fine).relu()]
        logits = [self.classes_out(i, self.cls[i](maps[i])) for i in range(2)]
        raw = [self.boxes_out(i, self.box[i](maps[i])) for i in range(2)]
        return maps, logits, raw

    def classes_out(self, level, made):
        return made

    def boxes_out(self, level, made):
        return made

    def decode(self, level, raw, shape):
        stride = torch.tensor([[STRIDES[level]], [STRIDES[level]]])
        row, col = torch.unravel_index(torch.arange(shape[0] * shape[1]), shape)
        points = (torch.stack((col, row)) + 0.5) * stride
        share = raw.unflatten(0, (4, BINS)).softmax(1)
        left, top, right, bottom = (share * torch.arange(BINS).view(1, -1, 1)).sum(1) * STRIDES[level]
        x, y = points
        return torch.stack((x - left, y - top, x + right, y + bottom))

    def describe_head(self):
        return WatcherHead(self)


def make():
    return Wide().eval()
