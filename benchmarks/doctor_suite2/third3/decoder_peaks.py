"""The highest scores of an image over all cells and classes, as (n, 6); corners from the point of a cell."""

import torch

STRIDES = (8, 16)
K = 4


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="xyxy",
        unit="stride",
        relative=True,
        objectness=None,
        classes=(4, 5, 6, 7),
        strides=STRIDES,
        grid_offset=0.5,
    )


def points(h, w):
    rows = torch.tensor([row for row in range(h) for _ in range(w)])
    cols = torch.tensor(list(range(w)) * h)
    return torch.stack((cols, rows), 1) + 0.5


def decode_image(levels):
    boxes, scores = [], []
    for level, stride in zip(levels, STRIDES, strict=True):
        place = points(*level.shape[1:]).repeat(1, 2)
        boxes.append((place + level[:4].flatten(1).T) * stride)
        scores.append(level[4:].flatten(1).T)
    boxes, scores = torch.cat(boxes), torch.cat(scores)
    top, index = scores.flatten().topk(1000)
    cell, label = index // K, index % K
    found = torch.cat((boxes[cell], top[:, None], label[:, None].float()), 1)
    return found[top > 0.2]


def decode(outputs):
    return [decode_image([level[image] for level in outputs]) for image in range(len(outputs[0]))]
