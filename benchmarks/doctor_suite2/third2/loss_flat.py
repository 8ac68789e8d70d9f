"""One tensor of all levels: focal loss of classes and smooth absolute error of deltas, as RetinaNet has them."""

import torch
from torch.nn import functional as F

STRIDES = (8, 16, 32)
OPTIONS = {"box_channels": (0, 1, 2, 3)}
CACHE = {}


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=None,
        classes=(4, 5, 6, 7, 8),
        strides=STRIDES,
        grid_offset=0.5,
        size_function="log",
        axes="NC",
    )


def prepare(targets):
    return torch.cat((targets[..., :4], targets[..., 4:].clamp(1e-3, 1 - 1e-3).logit()), -1)


def focal(logits, wanted):
    p = logits.sigmoid()
    pt = torch.where(wanted > 0.5, p, 1 - p)
    alpha = torch.where(wanted > 0.5, 0.25, 0.75)
    ce = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return (alpha * (1 - pt) ** 2 * ce).sum()


def smooth_l1(difference, beta=1 / 9):
    n = difference.abs()
    return torch.where(n < beta, 0.5 * n**2 / beta, n - 0.5 * beta).sum()


def loss(predictions, targets):
    fg = targets[..., 4:].sum(-1) > 0.5
    count = fg.sum().clamp(min=1)
    cls = focal(predictions[..., 4:], targets[..., 4:])
    wanted = targets[..., :4]
    box = smooth_l1(predictions[..., :4][fg] - wanted[fg])
    return (cls + box) / count
