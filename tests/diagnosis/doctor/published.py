"""The target encoder of a published detector that did not train, with all its faults at once."""

import torch

from diagnosis import TargetLayout
from tests.diagnosis.doctor.encoders import CLASSES, STRIDES

PUBLISHED = TargetLayout(classes=slice(5, 6 + CLASSES))


def encode(boxes, labels, image_size):
    """A viewed grid in px that offsets in strides are added to, [x, y] cells, every level, shared cells."""
    levels = []
    for stride in STRIDES:
        first, last = image_size[0] // stride, image_size[1] // stride
        x, y = torch.meshgrid((torch.arange(first) + 0.5) * stride, (torch.arange(last) + 0.5) * stride, indexing="ij")
        target = torch.zeros(6 + CLASSES, first, last)
        target[:2] = torch.stack((x, y), -1).view(2, first, last)
        target[2:4] = 0.001
        for box, label in zip(boxes, labels, strict=True):
            centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
            i, j = (centre / stride).int().tolist()
            target[:2, i, j] += (centre / stride).clamp(0, 1)
            target[2:4, i, j] = size
            target[4, i, j] = 1
            target[5 + label, i, j] = 1
        levels.append(target)
    return levels
