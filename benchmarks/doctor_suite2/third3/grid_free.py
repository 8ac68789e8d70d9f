"""Two coarse levels, the centre anywhere from the corner of its cell and exponentials of sides, as YOLOX has them."""

import torch
from torch import nn

from benchmarks.doctor_suite.grid_head import WatcherHead

STRIDES = (16, 32)
OPTIONS = {"step": 64}


class Free(nn.Module):
    bins, anchors, offset = 1, 1, 0.0

    def __init__(self):
        super().__init__()
        torch.manual_seed(33)
        self.names = {0: "sun", 1: "moon"}
        self.stem = nn.Conv2d(3, 12, 16, 16)
        self.down = nn.Conv2d(12, 12, 2, 2)
        self.cls = nn.ModuleList(nn.Conv2d(12, 2, 1) for _ in STRIDES)
        self.box = nn.ModuleList(nn.Conv2d(12, 4, 1) for _ in STRIDES)
        for level in range(2):
            nn.init.normal_(self.cls[level].weight, std=4.0 * 2**level)
            nn.init.normal_(self.box[level].weight, std=1.0 * 2**level)
            nn.init.constant_(self.box[level].bias, 0.5)

    def declared_strides(self):
        return STRIDES

    def forward(self, images):
        fine = self.stem(images).relu()
        coarse = self.down(fine).relu()
        maps = [fine, coarse]
        logits = [self.classes_out(i, self.cls[i](maps[i])) for i in range(2)]
        raw = [self.boxes_out(i, self.box[i](maps[i])) for i in range(2)]
        return maps, logits, raw

    def classes_out(self, level, made):
        return made

    def boxes_out(self, level, made):
        return made

    def decode(self, level, raw, shape):
        x = torch.arange(shape[1]).repeat(shape[0])
        y = torch.arange(shape[0]).repeat_interleave(shape[1])
        cx, cy = (x + raw[0]) * STRIDES[level], (y + raw[1]) * STRIDES[level]
        w, h = raw[2:].clamp(max=3).exp() * STRIDES[level]
        return torch.stack((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2))

    def describe_head(self):
        return WatcherHead(self)


def make():
    return Free().eval()
