"""RTMDet's form, channels last: distances in strides from the corner of a cell; suppressed within a class, by name."""

import torch
from torchvision.ops import nms

K = 3
HEADS = {"8": "small", "16": "medium", "32": "large"}  # by stride
POINTS = {}  # points of a level, by what they depend on
OPTIONS = {"image_sizes": ((256, 384), (384, 256))}


def layout(make):
    return make(
        box=(3, 4, 5, 6),
        format="ltrb",
        unit="stride",
        objectness=None,
        classes=(0, 1, 2),
        strides=(8, 16, 32),
        grid_offset=0.0,
        axes="HWC",
    )


def prepare(outputs):
    return [torch.cat((out[..., :K].clamp(1e-5, 1 - 1e-5).logit(), out[..., K:]), -1) for out in outputs]


def points(h, w, stride):
    """(h w, 2) px."""
    key = (h, w, stride)
    if key not in POINTS:
        rows, cols = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        POINTS[key] = torch.stack((cols, rows), -1).reshape(-1, 2) * stride
    return POINTS[key]


def corners(at, distances, stride):
    lt, rb = distances.chunk(2, -1)
    return torch.cat((at - lt * stride, at + rb * stride), -1)


def suppressed(boxes, scores):
    """Of an image; classes are moved apart, so that none suppresses another."""
    best, labels = scores.max(-1)
    sure = best > 0.05
    boxes, best, labels = boxes[sure], best[sure], labels[sure]
    apart = boxes + labels[:, None] * 4096
    keep = nms(apart, best, 0.6)
    return {"boxes": boxes[keep], "scores": best[keep], "labels": labels[keep]}


def decode(outputs):
    boxes, scores = [], []
    order = sorted(HEADS, key=int)
    for k in range(len(outputs)):
        level, stride = outputs[k], int(order[k])
        flat = level.flatten(1, 2)
        boxes.append(corners(points(*level.shape[1:3], stride), flat[..., K:], stride))
        scores.append(flat[..., :K].sigmoid())
    return [suppressed(*one) for one in zip(torch.cat(boxes, 1), torch.cat(scores, 1), strict=True)]
