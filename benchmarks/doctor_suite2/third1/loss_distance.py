"""Distance-IoU in strides, cross-entropies over all cells, levels weighed; centres count from the middle of a cell."""

import torch
from torch.nn import functional as F

STRIDES = (8, 16, 32)
OBJECTNESS, BOX, CLASSES = 0, slice(1, 5), slice(5, 9)
LEVEL_WEIGHTS = [2.0, 1.0, 0.5]
OPTIONS = {"box_channels": (1, 2, 3, 4)}


def layout(make):
    return make(
        box=(1, 2, 3, 4),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=0,
        classes=(5, 6, 7, 8),
        strides=STRIDES,
        grid_offset=0.5,
    )


def prepare(targets):
    found = []
    for level in targets:
        logits = level.clamp(1e-4, 1 - 1e-4).logit()
        found.append(torch.cat((logits[:, :1], level[:, BOX], logits[:, CLASSES]), 1))
    return found


def corners(part, points):
    centre = part[:, :2] + points
    size = part[:, 2:].clamp(min=1e-4)
    return torch.cat((centre - size / 2, centre + size / 2), 1)


def diou_loss(a, b):
    lt = torch.max(a[:, :2], b[:, :2])
    rb = torch.min(a[:, 2:], b[:, 2:])
    overlap = (rb - lt).clamp(min=0).prod(1)
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    iou = overlap / (area_a + area_b - overlap + 1e-9)
    hull = torch.max(a[:, 2:], b[:, 2:]) - torch.min(a[:, :2], b[:, :2])
    centre_a, centre_b = (a[:, :2] + a[:, 2:]) / 2, (b[:, :2] + b[:, 2:]) / 2
    apart = (centre_a - centre_b).square().sum(1)
    return 1 - iou + apart / (hull.square().sum(1) + 1e-9)


def grid(h, w):
    y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    return torch.stack((x, y), -1)


def level_loss(pred, true, stride):
    obj = true[:, OBJECTNESS]
    loss = F.binary_cross_entropy_with_logits(pred[:, OBJECTNESS], obj, reduction="sum")
    loss = loss + F.binary_cross_entropy_with_logits(pred[:, CLASSES], true[:, CLASSES], reduction="sum")
    b, i, j = torch.where(obj > 0)
    points = grid(*obj.shape[1:])[i, j]
    found, wanted = pred[b, BOX, i, j], true[b, BOX, i, j]
    solid = wanted[:, 2:].amin(1) > 1e-3
    predicted = corners(found, points)
    return loss + 5 * diou_loss(predicted[solid], corners(wanted, points)[solid]).sum()


def loss(predictions, targets):
    total = predictions[0].sum() * 0.0
    positives = sum((level[:, OBJECTNESS] > 0).sum() for level in targets)
    for pred, true, stride, weight in zip(predictions, targets, STRIDES, LEVEL_WEIGHTS, strict=True):
        part = level_loss(pred, true, stride)
        total = total + weight * part
    return total / positives.clamp(min=1)
