"""The target encoder of a published detector that did not train, with all its faults at once."""

import torch

from diagnosis import TargetLayout
from tests.diagnosis.doctor.encoders import CLASSES, STRIDES

PUBLISHED = TargetLayout(format="cxcywh", unit="normalized", classes=slice(5, 5 + CLASSES), grid_offset=0.0)


def encode(boxes, labels, image_size):
    """Height and width exchanged, a viewed grid, [x, y] cells, a clamped offset, every level, shared cells."""
    width, height = image_size
    levels = []
    for stride in STRIDES:
        rows, columns = image_size[0] // stride, image_size[1] // stride
        target = torch.zeros(5 + CLASSES, rows, columns)
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        grid = torch.stack((x, y), -1).view(2, rows, columns)
        for box, label in zip(boxes, labels, strict=True):
            centre, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
            i, j = (centre / stride).long().tolist()
            offset = (centre / stride).clamp(0, 1)
            scale = torch.tensor([width, height])
            target[:2, i, j] = (offset + grid[:, i, j]) * stride / scale
            target[2:4, i, j] = size / scale
            target[4, i, j] = 1
            target[5 + label, i, j] = 1
        levels.append(target)
    return levels
