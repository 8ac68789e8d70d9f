"""Priors decoded to px and compared by GIoU; objectness written out, kinds by the likelihood of the right one."""

import torch
from torch.nn.functional import logsigmoid

STRIDES = (16, 32)
PRIORS = (((28, 44), (66, 40)), ((100, 130), (190, 120)))
A, K = 2, 4
STEP = [0]
OPTIONS = {"box_channels": (0, 1, 2, 3)}


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=4,
        classes=(5, 6, 7, 8),
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
        found.append(torch.cat((part[:, :, :4], (2 * part[:, :, 4:] - 1) * 20), 2).flatten(1, 2))
    return found


def rows(level):
    b, _, h, w = level.shape
    return level.view(b, A, 5 + K, h, w).permute(0, 1, 3, 4, 2).reshape(-1, 5 + K)


def places(b, h, w):
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return torch.stack((x, y), -1).view(-1, 2).repeat(b * A, 1)


def priors(level, b, h, w):
    table = torch.tensor(PRIORS[level]).float()
    return table[:, None].expand(A, h * w, 2).reshape(-1, 2).repeat(b, 1)


def decoded(xy, wh, place, prior, stride):
    centre = (xy + place) * stride
    half = wh.clamp(max=8).exp() * prior / 2
    return torch.cat((centre - half, centre + half), 1)


def giou_loss(a, b):
    shared = (torch.min(a[:, 2:], b[:, 2:]) - torch.max(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    whole = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - shared
    hull = (torch.max(a[:, 2:], b[:, 2:]) - torch.min(a[:, :2], b[:, :2])).prod(1)
    return 2 - shared / whole - whole / hull


def objectness_loss(logits, wanted):
    present, absent = logsigmoid(logits), logsigmoid(-logits)
    return -(wanted * present + (1 - wanted) * absent).sum()


def kinds_loss(p, t):
    label = t[:, 5:].argmax(1)
    likelihood = p[:, 5:].log_softmax(1).gather(1, label[:, None])
    return -likelihood.sum()


def loss(predictions, targets):
    total, count = 0.0, 0
    for level, (pred, true) in enumerate(zip(predictions, targets, strict=True)):
        b, _, h, w = pred.shape
        p, t = rows(pred), rows(true)
        place, prior = places(b, h, w), priors(level, b, h, w)
        mine = t[:, 4] > 0
        p_xy, p_prior = p[:, :2], prior
        found = decoded(p_xy, p[:, 2:4], place, p_prior, STRIDES[level])
        wanted = decoded(t[:, :2], t[:, 2:4], place, prior, STRIDES[level])
        box = giou_loss(found[mine], wanted[mine]).sum()
        total = total + 3 * box + objectness_loss(p[:, 4], t[:, 4]) + kinds_loss(p[mine], t[mine])
        count += int(mine.sum())
    return total / max(count, 1)
