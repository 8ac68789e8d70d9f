"""The upper left corner and the size in px of the image, level by level; classes as logits, no objectness."""

import torch

STRIDES = (8, 16, 32, 64)


def layout(make):
    return make(
        box=(3, 4, 5, 6),
        format="xywh",
        unit="px",
        objectness=None,
        classes=(0, 1, 2),
        strides=STRIDES,
        grid_offset=0.5,
    )


def prepare(outputs):
    return [torch.cat((level[:, :3].clamp(1e-5, 1 - 1e-5).logit(), level[:, 3:]), 1) for level in outputs]


def decode(outputs):
    boxes, scores = [], []
    for level in outputs:
        x, y, w, h = level[:, 3:].flatten(2).unbind(1)
        boxes.append(torch.stack((x, y, x + w, y + h), 1))
        probability = level[:, :3].sigmoid()
        scores.append(probability.flatten(2))
    boxes, scores = torch.cat(boxes, 2), torch.cat(scores, 2)
    return boxes.transpose(1, 2), scores.transpose(1, 2)
