"""Eighteen bins a side of distances in px, level by level: bins by two neighbours, boxes by -log of the overlap."""

import torch
from torch.nn import functional as F

STRIDES = (8, 16, 32)
R = 18
OPTIONS = {"box_channels": range(4 * R)}


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="ltrb",
        unit="px",
        objectness=None,
        classes=(4, 5, 6),
        strides=STRIDES,
        grid_offset=0.5,
    )


def in_bins(sides, stride):
    return (sides / stride).clamp(0, R - 1.01)


def prepare(targets):
    found = []
    for level, stride in zip(targets, STRIDES, strict=True):
        sides = in_bins(level[:, :4], stride)
        near = 1 - (sides[:, :, None] - torch.arange(R).view(1, 1, R, 1, 1)).abs()
        logits = level[:, 4:].clamp(1e-4, 1 - 1e-4).logit()
        found.append(torch.cat((near.clamp(min=1e-7).log().flatten(1, 2), logits), 1))
    return found


def log_overlap(p, t):
    """Of distances (n, 4) from the same points."""
    shared = torch.minimum(p, t)
    shared = (shared[:, :2] + shared[:, 2:]).clamp(min=0).prod(1)
    whole = (p[:, :2] + p[:, 2:]).prod(1) + (t[:, :2] + t[:, 2:]).prod(1) - shared
    return (shared / whole).clamp(min=1e-4).log()


def focal_of_bins(bins, side):
    mean = bins.softmax(2) @ torch.arange(R).float()
    left = side.long().clamp(0, R - 2)
    share = bins.log_softmax(2)
    near = -share.gather(2, left[..., None])[..., 0]
    far = -share.gather(2, left[..., None] + 1)[..., 0]
    return mean, (near * (left + 1 - side) + far * (side - left)).sum()


def held(true):
    return true[:, 4:].amax(1) > 0.5


def level_loss(pred, true, level):
    stride = STRIDES[level]
    mine = held(true)
    bins = pred[:, : 4 * R].permute(0, 2, 3, 1)[mine].view(-1, 4, R)
    sides = in_bins(true[:, :4].permute(0, 2, 3, 1)[mine], stride)
    mean, focal = focal_of_bins(bins, sides)
    solid = (sides[:, :2] + sides[:, 2:]).amin(1) > 1e-3
    decoded = mean * stride
    overlap = -log_overlap(decoded[solid], sides[solid] * stride).sum()
    kinds = F.binary_cross_entropy_with_logits(pred[:, 4 * R :], true[:, 4:], reduction="sum")
    return kinds + 0.5 * focal + 2 * overlap


def loss(predictions, targets):
    count = sum(int(held(true).sum()) for true in targets)
    parts = [level_loss(pred, true, level) for level, (pred, true) in enumerate(zip(predictions, targets, strict=True))]
    return torch.stack(parts).sum() / max(count, 1)
