"""One level of stride 8, as CenterNet has it: an offset from the middle of the cell, and sides."""

import torch
from torch import nn

from benchmarks.doctor_suite.grid_head import WatcherHead

STRIDE = 8
OPTIONS = {"step": 64}


class Single(nn.Module):
    bins, anchors, offset = 1, 1, 0.5

    def __init__(self):
        super().__init__()
        torch.manual_seed(23)
        self.names = {0: "cell", 1: "dust"}
        self.body = nn.Conv2d(3, 16, STRIDE, STRIDE)
        self.cls = nn.ModuleList([nn.Conv2d(16, 2, 3, padding=1)])
        self.box = nn.ModuleList([nn.Conv2d(16, 4, 1)])
        nn.init.normal_(self.cls[0].weight, std=1.5)
        nn.init.normal_(self.box[0].weight, std=3.0)

    def declared_strides(self):
        return (8,)

    def forward(self, images):
        seen = self.body(images).relu()
        return [seen], [self.classes_out(0, self.cls[0](seen))], [self.boxes_out(0, self.box[0](seen))]

    def classes_out(self, level, made):
        return made

    def boxes_out(self, level, made):
        return made

    def decode(self, level, raw, shape):
        ys, xs = torch.meshgrid(torch.arange(shape[0]), torch.arange(shape[1]), indexing="ij")
        middle = torch.stack((xs.flatten(), ys.flatten())) + 0.5
        centre = (middle + (0.3 * raw[:2]).tanh()) * STRIDE
        half = nn.functional.softplus(raw[2:]) * STRIDE / 2
        return torch.cat((centre - half, centre + half))

    def describe_head(self):
        return WatcherHead(self)


def make():
    return Single().eval()
