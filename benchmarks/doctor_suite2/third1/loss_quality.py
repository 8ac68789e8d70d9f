"""Quality focal loss and GIoU of distances in px, all levels at once: the score to learn is the overlap itself."""

import torch
from torch.nn import functional as F

STRIDES = (8, 16, 32)
CLASSES = 4
EPS = 1e-7
OPTIONS = {"box_channels": (0, 1, 2, 3)}


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="ltrb",
        unit="px",
        objectness=None,
        classes=(4, 5, 6, 7),
        strides=STRIDES,
        grid_offset=0.5,
    )


def prepare(targets):
    return [torch.cat((level[:, :4], level[:, 4:].clamp(1e-4, 1 - 1e-4).logit()), 1) for level in targets]


def flatten(levels):
    return torch.cat([level.flatten(2) for level in levels], 2).transpose(1, 2).reshape(-1, 4 + CLASSES)


def around_zero(sides):
    return torch.cat((-sides[:, :2], sides[:, 2:]), 1)


def overlaps(p, t):
    """IoU and GIoU (n,) of distances from the same points."""
    p, t = around_zero(p), around_zero(t)
    shared = (torch.minimum(p[:, 2:], t[:, 2:]) - torch.maximum(p[:, :2], t[:, :2])).clamp(min=0).prod(1)
    whole = (p[:, 2:] - p[:, :2]).clamp(min=0).prod(1) + (t[:, 2:] - t[:, :2]).prod(1) - shared
    hull = (torch.maximum(p[:, 2:], t[:, 2:]) - torch.minimum(p[:, :2], t[:, :2])).clamp(min=0).prod(1)
    iou = shared / whole.clamp(min=EPS)
    return iou, iou - (hull - whole) / hull.clamp(min=EPS)


def solid(t):
    return (t[:, :2] + t[:, 2:4]).amin(1) > 1e-2


def box_loss(pred, true, positive):
    mine = positive & solid(true)
    p, t = pred[mine, :4], true[mine, :4]
    return (1 - overlaps(p, t)[1]).sum()


def quality_of(pred, true, positive):
    """(n, classes): how well the box of a positive fits, at its class."""
    quality = torch.ones(len(true))
    mine = positive & solid(true)
    quality[mine] = overlaps(pred[mine, :4], true[mine, :4])[0].detach()
    return true[:, 4:] * quality[:, None]


def quality_focal_loss(score, quality):
    p = score.sigmoid().clamp(1e-6, 1 - 1e-6)
    bce = F.binary_cross_entropy(p, quality, reduction="none")
    return ((quality - p).abs().square() * bce).sum()


def loss(predictions, targets):
    pred, true = flatten(predictions), flatten(targets)
    positive = true[:, 4:].amax(1) > 0.5
    quality = quality_of(pred, true, positive)
    cls = quality_focal_loss(pred[:, 4:], quality)
    return (2 * box_loss(pred, true, positive) + cls) / positive.sum().clamp(min=1)
