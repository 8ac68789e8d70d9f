"""FCOS's form: focal loss, -log of the overlap by how central a point is, which a branch of its own learns."""

import torch
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

K = 3
OPTIONS = {"box_channels": (3, 4, 5, 6)}


def layout(make):
    return make(
        box=(3, 4, 5, 6),
        format="ltrb",
        unit="stride",
        objectness=None,
        classes=(0, 1, 2),
        strides=(8, 16, 32),
        grid_offset=0.5,
    )


def prepare(targets):
    """Logits of classes, distances before a softplus, the logit of how central the point is."""
    found = []
    for level in targets:
        left, top, right, bottom = level[:, 3:7].clamp(min=1e-3).unbind(1)
        shares = torch.minimum(left, right) / torch.maximum(left, right)
        shares = shares * torch.minimum(top, bottom) / torch.maximum(top, bottom)
        sides = level[:, 3:7].clamp(min=1e-3).expm1().log()
        kinds, central = level[:, :K].clamp(1e-6, 1 - 1e-6), shares.pow(0.5).clamp(1e-6, 1 - 1e-6)
        found.append(torch.cat((kinds.logit(), sides, central.logit()[:, None]), 1))
    return found


def flat(levels):
    """(B, N, C)."""
    return torch.cat([level.flatten(2).transpose(1, 2) for level in levels], 1)


def centredness(reg):
    lr, tb = reg[:, 0::2], reg[:, 1::2]
    return ((lr.amin(1) / lr.amax(1)) * (tb.amin(1) / tb.amax(1))).sqrt()


def iou_loss(reg, goal):
    """-log of the overlap of boxes around the same points."""
    inner = torch.minimum(reg, goal)
    shared = (inner[:, 0] + inner[:, 2]) * (inner[:, 1] + inner[:, 3])
    area, wanted = ((one[:, 0] + one[:, 2]) * (one[:, 1] + one[:, 3]) for one in (reg, goal))
    overlap = (shared + 1e-3) / (area + wanted - shared + 1e-3)
    return -overlap.log()


def loss(predictions, targets):
    pred, want = flat(predictions), flat(targets)
    positive = want[..., :K].amax(-1) > 0.5
    n = positive.sum().clamp(min=1)
    kinds = sigmoid_focal_loss(pred[..., :K], want[..., :K], reduction="sum") / n
    reg, goal = F.softplus(pred[..., 3:7][positive]), want[..., 3:7][positive].clamp(min=1e-3)
    central = centredness(goal)
    boxes = (iou_loss(reg, goal) * central).sum() / central.sum().clamp(min=1e-3)
    centre = F.binary_cross_entropy_with_logits(pred[..., 7][positive], central, reduction="sum") / n
    return kinds + boxes + centre
