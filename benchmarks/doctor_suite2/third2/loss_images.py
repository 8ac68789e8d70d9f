"""Image by image: distance overlap and logarithms of sides in px, labels smoothed, objectness of all cells."""

import torch
from torch.nn import functional as F

STRIDES = (8, 16)
CLASSES, SMOOTH = 3, 0.1
OPTIONS = {"box_channels": (0, 1, 2, 3)}


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="px",
        objectness=4,
        classes=(5, 6, 7),
        strides=STRIDES,
        grid_offset=0.5,
    )


def smoothed(one_hot):
    return one_hot * (1 - SMOOTH) + SMOOTH / CLASSES


def prepare(targets):
    found = []
    for level in targets:
        objectness = level[:, 4:5].clamp(1e-4, 1 - 1e-4).logit()
        found.append(torch.cat((level[:, :4], objectness, smoothed(level[:, 5:]).logit()), 1))
    return found


def to_corners(b):
    return torch.cat((b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2), 1)


def overlap_loss(a, b):
    inter_wh = torch.min(a[:, 2:], b[:, 2:]) - torch.max(a[:, :2], b[:, :2])
    inter = inter_wh.clamp(min=0).prod(1)
    area_a = (a[:, 2:] - a[:, :2]).clamp(min=0).prod(1)
    area_b = (b[:, 2:] - b[:, :2]).prod(1)
    iou = inter / (area_a + area_b - inter).clamp(min=1e-6)
    apart = (a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]).square().sum(1) / 4
    hull = (torch.max(a[:, 2:], b[:, 2:]) - torch.min(a[:, :2], b[:, :2])).square().sum(1)
    return (1 - iou + apart / hull.clamp(min=1e-6)).sum()


def size_loss(a, b, mine):
    """Of corners (n, 4) of all cells."""
    wide_a, wide_b = (a[:, 2:] - a[:, :2])[mine], (b[:, 2:] - b[:, :2])[mine]
    return (wide_a.clamp(min=1).log() - wide_b.clamp(min=1).log()).abs().sum()


def image_loss(pred, true):
    """``pred`` and ``true`` (n, 8): all cells of an image."""
    mine = true[:, 4] > 0
    found, wanted = to_corners(pred[:, :4]), to_corners(true[:, :4])
    solid = mine & (true[:, 2:4].amin(1) > 1)
    box = overlap_loss(found[solid], wanted[solid]) + 0.5 * size_loss(found, wanted, solid)
    obj = F.binary_cross_entropy_with_logits(pred[:, 4], true[:, 4], reduction="sum")
    labels = smoothed(true[mine, 5:])
    cls = F.binary_cross_entropy_with_logits(pred[mine, 5:], labels, reduction="sum")
    return box + obj + cls


def loss(predictions, targets):
    total = torch.zeros(())
    for image in range(len(predictions[0])):
        pred = torch.cat([level[image].flatten(1).T for level in predictions])
        true = torch.cat([level[image].flatten(1).T for level in targets])
        total = total + image_loss(pred, true)
    return total / len(predictions[0])
