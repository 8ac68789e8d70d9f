"""Two priors a cell, squares and cross-entropies in the manner of YOLOv3; kinds exclude one another."""

import torch
from torch.nn import functional as F

STRIDES = (16, 32)
PRIORS = (((30, 40), (60, 50)), ((90, 120), (170, 140)))
A, K = 2, 3
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
        size_function="log",
        anchors=PRIORS,
        axes="AC,H,W",
    )


def prepare(targets):
    found = []
    for level in targets:
        part = level.unflatten(1, (A, 5 + K))
        logit = part.clamp(1e-3, 1 - 1e-3).logit()
        found.append(torch.cat((part[:, :, :4], logit[:, :, 4:]), 2).flatten(1, 2))
    return found


def rows(level):
    """(n, 5 + K): every anchor of every cell."""
    b, _, h, w = level.shape
    return level.view(b, A, 5 + K, h, w).permute(0, 1, 3, 4, 2).reshape(-1, 5 + K)


def rows_of_predictions(level):
    b, _, h, w = level.shape
    return level.view(b, A, 5 + K, h, w).permute(0, 1, 3, 4, 2).reshape(-1, 5 + K)


class YoloLoss:
    lambda_xy, lambda_wh, lambda_obj, lambda_cls = 2.5, 2.5, 1.0, 1.0

    def box(self, p, t):
        xy = (p[:, :2] - t[:, :2]).square().sum()
        wh = (p[:, 2:4] - t[:, 2:4]).square().sum()
        return self.lambda_xy * xy + self.lambda_wh * wh

    def objectness(self, p, t):
        conf = p[:, 4].sigmoid()
        weight = torch.where(t[:, 4] > 0, 1.0, 0.5)
        return self.lambda_obj * (weight * (conf - t[:, 4]).square()).sum()

    def kinds(self, p, t):
        label = t[:, 5:].argmax(1)
        return self.lambda_cls * F.cross_entropy(p[:, 5:], label, reduction="sum")

    def __call__(self, predictions, targets):
        parts, counts = [], []
        for pred, true in zip(predictions, targets, strict=True):
            p, t = rows_of_predictions(pred), rows(true)
            mine = t[:, 4] > 0
            counts.append(mine.sum())
            parts.append(self.box(p[mine], t[mine]) + self.objectness(p, t) + self.kinds(p[mine], t[mine]))
        count = torch.stack(counts).sum().clamp(min=1)
        return torch.stack(parts).sum() / count


loss = YoloLoss()
