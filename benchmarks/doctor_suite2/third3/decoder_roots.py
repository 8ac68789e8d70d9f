"""Square roots of sides in strides, centres from the middle of a cell, objectness; asked with images that are tall."""

import torch

STRIDES = [2 ** (level + 4) for level in range(3)]
OFFSET = 1 / 2
OPTIONS = {"image_sizes": ((512, 320), (384, 384))}


def layout(make):
    return make(
        box=(1, 2, 3, 4),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=0,
        classes=(5, 6, 7),
        strides=(16, 32, 64),
        grid_offset=0.5,
        size_function="sqrt",
    )


def cells(rows, cols):
    """(rows * cols, 2) column and row of each cell."""
    ones = torch.ones(rows, cols)
    return torch.stack((ones.cumsum(1) - 1, ones.cumsum(0) - 1), -1).view(-1, 2)


def decode_level(x, stride):
    rows, cols = x.shape[2:]
    x = x.flatten(2).transpose(1, 2)
    place = cells(rows, cols) + OFFSET
    cx = (place[:, 0] + x[..., 1]) * stride
    cy = (place[:, 1] + x[..., 2]) * stride
    w, h = (x[..., 3:5] ** 2 * stride).unbind(-1)
    boxes = torch.stack((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), -1)
    objectness, kinds = x[..., :1], x[..., 5:]
    scores = objectness * kinds
    return boxes, scores


def decode(outputs):
    levels = [decode_level(x, stride) for x, stride in zip(outputs, STRIDES, strict=True)]
    return torch.cat([boxes for boxes, _ in levels], 1), torch.cat([scores for _, scores in levels], 1)
