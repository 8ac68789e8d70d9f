"""One level, absolute errors of an offset in strides and of sides in px, as CenterNet has them, and cross-entropies."""

import torch
from torch.nn import functional as F

BCE = F.binary_cross_entropy_with_logits
OPTIONS = {"box_channels": (1, 2, 3, 4)}


def layout(make):
    return make(
        box=(1, 2, 3, 4),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=0,
        classes=(5, 6),
        strides=(8,),
        grid_offset=0.5,
        size_unit="px",
    )


def prepare(targets):
    level = targets[0]
    logits = level.clamp(1e-4, 1 - 1e-4).logit()
    return [torch.cat((logits[:, :1], level[:, 1:5], logits[:, 5:]), 1)]


def gather(part, mask):
    """(B, c, h, w) at the cells of a mask (B, h, w): (n, c)."""
    return part.permute(0, 2, 3, 1)[mask]


def box_loss(found, wanted):
    offset = (found[:, :2] - wanted[:, :2]).abs().sum()
    wide = (found[:, 2] - wanted[:, 2]).abs()
    high = (found[:, 3] - wanted[:, 3]).abs()
    return offset + 0.1 * (wide + high).sum()


def loss(predictions, targets):
    pred, true = predictions[0], targets[0]
    mask = true[:, 0] > 0
    logits = pred[:, 0]
    obj = BCE(logits, true[:, 0], reduction="none")
    cls = BCE(gather(pred[:, 5:], mask), gather(true[:, 5:], mask), reduction="sum")
    box = box_loss(gather(pred[:, 1:5], mask), gather(true[:, 1:5], mask))
    return (obj.sum() + cls + box) / mask.sum().clamp(min=1)
