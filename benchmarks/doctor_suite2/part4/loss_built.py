"""YOLOv5's form: targets built as lists of indices, complete overlap, which is what objectness learns."""

import torch
from torch.nn import functional as F
from torchvision.ops import complete_box_iou_loss

STRIDES = (8, 16, 32)
PRIORS = (((20, 24), (36, 30)), ((60, 44), (70, 90)), ((130, 110), (180, 160)))
A, K = 2, 3
BALANCE = (4.0, 1.0, 0.4)
OPTIONS = {"box_channels": (0, 1, 2, 3)}


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=4,
        classes=(5, 6, 7),
        strides=STRIDES,
        grid_offset=0.0,
        size_unit="prior",
        anchors=PRIORS,
        axes="AC,H,W",
    )


def prepare(targets):
    found = []
    for level in targets:
        part = level.unflatten(1, (A, 5 + K))
        xy = (part[:, :, :2] + 0.5) / 2
        wh = part[:, :, 2:4].clamp(min=0).sqrt() / 2
        shares = torch.cat((xy, wh, part[:, :, 4:]), 2).clamp(1e-6, 1 - 1e-6)
        found.append(shares.logit().flatten(1, 2))
    return found


def heads(level):
    """(B, A, h, w, 5 + K)."""
    return level.unflatten(1, (A, 5 + K)).permute(0, 1, 3, 4, 2)


def build_targets(target, priors):
    """Indices of objects, their boxes in strides (cx, cy from the corner of the cell, w, h), their one-hot classes."""
    b, a, gj, gi = (target[..., 4] > 0.5).nonzero(as_tuple=True)
    rows = target[b, a, gj, gi]
    xy = rows[:, :2]
    tbox = torch.cat((xy, rows[:, 2:4] * priors[a]), 1)
    h, w = target.shape[2:4]
    return (b, a, gj.clamp(0, h - 1), gi.clamp(0, w - 1)), tbox, rows[:, 5:]


def corners(box):
    return torch.cat((box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2), 1)


def loss(predictions, targets):
    lbox, lobj, lcls = (predictions[0].new_zeros(1) + 0 * level.sum() for level in predictions)
    for i, (level, target) in enumerate(zip(predictions, targets, strict=True)):
        pi = heads(level)
        own = torch.tensor(PRIORS[i]) / STRIDES[i]
        (b, a, gj, gi), tbox, tcls = build_targets(heads(target), own)
        tobj = torch.zeros_like(pi[..., 4])
        n = len(b)
        if n:
            ps = pi[b, a, gj, gi]
            pxy = ps[:, :2].sigmoid() * 2 - 0.5
            pwh = (ps[:, 2:4].sigmoid() * 2) ** 2 * own[a]
            pbox = torch.cat((pxy, pwh.clamp(min=1e-3)), 1)
            solid = tbox[:, 2:].amin(1) > 1e-3
            iou = 1 - complete_box_iou_loss(corners(pbox), corners(tbox))
            lbox = lbox + (1 - iou)[solid].mean() if solid.any() else lbox
            tobj[b, a, gj, gi] = torch.where(solid, iou.detach().clamp(0, 1), 1.0)
            lcls = lcls + F.binary_cross_entropy_with_logits(ps[:, 5:], tcls)
        obji = F.binary_cross_entropy_with_logits(pi[..., 4], tobj)
        lobj = lobj + obji * BALANCE[i]
    return (0.05 * lbox + lobj + 0.5 * lcls).sum() * len(predictions[0])
