"""Corners from the point of a cell in strides, by a rounded absolute error and a distance of normal distributions."""

import torch
from torch import nn
from torch.nn.functional import softplus

CLASSES, OBJECTNESS, BOX = slice(0, 3), 3, slice(4, 8)
OPTIONS = {"box_channels": (4, 5, 6, 7)}


def layout(make):
    return make(
        box=(4, 5, 6, 7),
        format="xyxy",
        unit="stride",
        relative=True,
        objectness=3,
        classes=(0, 1, 2),
        strides=(8, 16, 32),
        grid_offset=0.5,
    )


def prepare(targets):
    return [torch.cat(((level[:, :4] * 2 - 1) * 18, level[:, 4:]), 1) for level in targets]


class DetectionLoss(nn.Module):
    def __init__(self, constant=6.0, eps=2**-10):
        super().__init__()
        self.constant, self.eps = constant, eps
        self.register_buffer("normalizer", torch.tensor(20.0))

    def charbonnier(self, found, wanted):
        return ((found - wanted).square() + self.eps**2).sqrt().sum() - self.eps * found.numel()

    def wasserstein(self, found, wanted):
        """Of boxes as normal distributions, (n,), in strides."""
        centres = (found[:, :2] + found[:, 2:] - wanted[:, :2] - wanted[:, 2:]) / 2
        sides = (found[:, 2:] - found[:, :2] - wanted[:, 2:] + wanted[:, :2]) / 2
        return (centres.square().sum(1) + sides.square().sum(1) + self.eps**2).sqrt()

    def boxes(self, found, wanted):
        similarity = torch.exp(-self.wasserstein(found, wanted) / self.constant)
        return self.charbonnier(found, wanted) + (1 - similarity).sum()

    def binary(self, logits, wanted):
        """Cross-entropy by softplus, weighed by how far off a probability is."""
        off = (logits.sigmoid() - wanted).abs()
        return (off * (wanted * softplus(-logits) + (1 - wanted) * softplus(logits))).sum()

    def level(self, pred, target):
        b, y, x = (target[:, OBJECTNESS] > 0.5).nonzero(as_tuple=True)
        found, wanted = pred[b, BOX, y, x], target[b, BOX, y, x]
        box = self.boxes(found, wanted)
        kinds = self.binary(pred[b, CLASSES, y, x], target[b, CLASSES, y, x])
        return box + kinds + self.binary(pred[:, OBJECTNESS], target[:, OBJECTNESS])

    def forward(self, predictions, targets):
        count = torch.stack([(target[:, OBJECTNESS] > 0.5).sum() for target in targets]).sum()
        total = sum(self.level(pred, target) for pred, target in zip(predictions, targets, strict=True))
        return total / count.clamp(min=1)


loss = DetectionLoss()
