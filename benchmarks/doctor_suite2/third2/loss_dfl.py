"""Complete overlap and distribution focal loss of sixteen bins a side, cross-entropy of classes: YOLOv8's form."""

import math

import torch
from torch.nn import functional as F

STRIDES = (8, 16, 32)
R, CLASSES = 16, 3
OPTIONS = {"box_channels": range(4 * R)}


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="ltrb",
        unit="stride",
        objectness=None,
        classes=(4, 5, 6),
        strides=STRIDES,
        grid_offset=0.5,
    )


def prepare(targets):
    found = []
    for level in targets:
        sides = level[:, :4].clamp(0, R - 1.01)
        near = 1 - (sides[:, :, None] - torch.arange(R).view(1, 1, R, 1, 1)).abs()
        logits = level[:, 4:].clamp(1e-4, 1 - 1e-4).logit()
        found.append(torch.cat((near.clamp(min=1e-7).log().flatten(1, 2), logits), 1))
    return found


def flatten(levels):
    return torch.cat([level.flatten(2) for level in levels], 2).transpose(1, 2)


def boxes(sides):
    return torch.cat((-sides[:, :2], sides[:, 2:]), 1)


def ciou(a, b, eps=1e-7):
    w1, h1 = (a[:, 2:] - a[:, :2]).clamp(min=eps).unbind(1)
    w2, h2 = (b[:, 2:] - b[:, :2]).clamp(min=eps).unbind(1)
    inter = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    iou = inter / (w1 * h1 + w2 * h2 - inter + eps)
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).square().sum(1) + eps
    apart = (a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]).square().sum(1) / 4
    v = 4 / math.pi**2 * ((w2 / h2).atan() - (w1 / h1).atan()).square()
    with torch.no_grad():
        alpha = v / (v - iou + (1 + eps))
    return iou - apart / hull - alpha * v


def distribution_focal_loss(bins, side):
    """``bins`` (n, 4, R) logits, ``side`` (n, 4)."""
    left = side.long()
    weight_left = left + 1 - side
    weight_right = 1 - weight_left
    near = F.cross_entropy(bins.reshape(-1, R), left.reshape(-1), reduction="none").view(left.shape)
    far = F.cross_entropy(bins.reshape(-1, R), left.reshape(-1) + 1, reduction="none").view(left.shape)
    return (near * weight_left + far * weight_right).sum()


def loss(predictions, targets):
    pred, true = flatten(predictions), flatten(targets)
    wanted_scores = true[..., 4:]
    cls = F.binary_cross_entropy_with_logits(pred[..., 4 * R :], wanted_scores, reduction="sum")
    foreground = wanted_scores.amax(-1) > 0.5
    sides = true[foreground][:, :4].clamp(0, R - 1.01)
    bins = pred[foreground][:, : 4 * R].view(-1, 4, R)
    mean = bins.softmax(2) @ torch.arange(R).float()
    solid = (sides[:, :2] + sides[:, 2:]).amin(1) > 1e-3
    overlap = (1 - ciou(boxes(mean)[solid], boxes(sides)[solid])).sum()
    total = 7.5 * overlap + 1.5 * distribution_focal_loss(bins, sides) + 0.5 * cls
    return total / wanted_scores.sum().clamp(min=1)
