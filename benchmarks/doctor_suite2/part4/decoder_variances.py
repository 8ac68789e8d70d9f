"""SSD's form: boxes and classes by heads of their own, variances, a background class, priors in a list of all cells."""

from itertools import pairwise, product
from math import sqrt

import torch

STRIDES = (16, 32, 64)
SIDES = (40.0, 90.0, 190.0, 330.0)  # px
VARIANCES = (0.1, 0.2)
A, K = 3, 3


def shapes(side, following):
    between = sqrt(side * following)
    return ((side, side), (between, between), (side * sqrt(2), side / sqrt(2)))


PRIORS = tuple(shapes(*pair) for pair in pairwise(SIDES))


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="prior",
        relative=True,
        objectness=None,
        classes=(4, 5, 6),
        strides=STRIDES,
        grid_offset=0.5,
        size_function="log",
        anchors=PRIORS,
        axes="AC,H,W",
    )


def prepare(outputs):
    """Boxes of all levels, then classes of all levels."""
    loc, conf = [], []
    for level in outputs:
        part = level.unflatten(1, (A, 4 + K))
        loc.append(torch.cat((part[:, :, :2] / VARIANCES[0], part[:, :, 2:4] / VARIANCES[1]), 2).flatten(1, 2))
        kinds = part[:, :, 4:]
        background = 1 - kinds.sum(2, keepdim=True)
        conf.append(torch.cat((background, kinds), 2).clamp(min=1e-7).log().flatten(1, 2))
    return [*loc, *conf]


def prior_boxes(maps):
    """(N, 4) centre and size, px."""
    mean = []
    for k, (h, w) in enumerate(maps):
        for i, j in product(range(h), range(w)):
            cx, cy = (j + 0.5) * STRIDES[k], (i + 0.5) * STRIDES[k]
            mean += [(cx, cy, *prior) for prior in PRIORS[k]]
    return torch.tensor(mean)


def undo(loc, priors):
    """Offsets to corners, in the manner of decode() of box_utils."""
    boxes = torch.cat(
        (
            priors[:, :2] + loc[..., :2] * VARIANCES[0] * priors[:, 2:],
            priors[:, 2:] * torch.exp(loc[..., 2:] * VARIANCES[1]),
        ),
        -1,
    )
    boxes[..., :2] -= boxes[..., 2:] / 2
    boxes[..., 2:] += boxes[..., :2]
    return boxes


def decode(outputs):
    loc, conf = outputs[: len(STRIDES)], outputs[len(STRIDES) :]
    b = len(loc[0])
    priors = prior_boxes([x.shape[2:] for x in loc])
    loc = torch.cat([x.permute(0, 2, 3, 1).reshape(b, -1) for x in loc], 1).view(b, -1, 4)
    conf = torch.cat([x.permute(0, 2, 3, 1).reshape(b, -1) for x in conf], 1).view(b, -1, K + 1)
    scores = conf.softmax(-1)
    return undo(loc, priors), scores[..., 1:]
