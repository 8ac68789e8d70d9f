"""Three levels, a convolution of 3 x 3 before each output, exponentials of four distances from the middle of a cell."""

import torch
from torch import nn

from benchmarks.doctor_suite.grid_head import WatcherHead

STRIDES = (8, 16, 32)
OPTIONS = {"step": 64}


class Towers(nn.Module):
    bins, anchors, offset = 1, 1, 0.5

    def __init__(self):
        super().__init__()
        torch.manual_seed(11)
        self.names = dict(enumerate(("cup", "key", "pen", "box")))
        self.stem = nn.Conv2d(3, 12, 8, 8)
        self.down = nn.ModuleList(nn.Conv2d(12, 12, 2, 2) for _ in STRIDES[1:])
        self.tower = nn.Conv2d(12, 12, 3, padding=1)
        self.cls = nn.ModuleList(nn.Conv2d(12, 4, 1) for _ in STRIDES)
        self.box = nn.ModuleList(nn.Conv2d(12, 4, 1) for _ in STRIDES)
        with torch.no_grad():
            for level in range(len(STRIDES)):
                self.cls[level].weight.mul_(30 * 2.5**level)
                self.box[level].weight.mul_(14 * 2**level)

    def declared_strides(self):
        return STRIDES

    def forward(self, images):
        x = self.stem(images).relu()
        pyramid = [x]
        for conv in self.down:
            x = conv(x).relu()
            pyramid.append(x)
        seen = [(p + self.tower(p)).relu() for p in pyramid]
        logits = [self.classes_out(i, self.cls[i](x)) for i, x in enumerate(seen)]
        raw = [self.boxes_out(i, self.box[i](x)) for i, x in enumerate(seen)]
        self.finest = raw[0].shape[2:]
        return seen, logits, raw

    def classes_out(self, level, made):
        return made

    def boxes_out(self, level, made):
        return made

    def locations(self, level, h, w):
        stride = STRIDES[level]
        index = torch.arange(h * w)
        x = (index % w) * stride + stride // 2
        y = torch.div(index, w, rounding_mode="floor") * stride + stride // 2
        return torch.stack((x, y)).float()

    def decode(self, level, raw, shape):
        points = self.locations(level, *shape)
        distance = (0.3 * raw).clamp(-3, 2.5).exp() * STRIDES[level]
        return torch.cat((points - distance[:2], points + distance[2:]))

    def describe_head(self):
        return WatcherHead(self)


def make():
    return Towers().eval()
