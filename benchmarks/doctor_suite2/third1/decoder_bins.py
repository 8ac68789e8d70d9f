"""Bins a side, written in numpy: four times twelve logits, then classes; points from the flat index."""

import numpy as np
import torch

STRIDES = [8, 16, 32, 64]
BINS = 12
CLASSES = 4


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="ltrb",
        unit="stride",
        objectness=None,
        classes=(4, 5, 6, 7),
        strides=tuple(STRIDES),
        grid_offset=0.5,
    )


def prepare(outputs):
    found = []
    for level in outputs:
        sides = level[:, :4].clamp(0, BINS - 1.001)
        away = (sides[:, :, None] - torch.arange(BINS).view(1, 1, BINS, 1, 1)).abs()
        logits = (1 - away).clamp(min=1e-8).log()
        found.append(torch.cat((logits.flatten(1, 2), level[:, 4:]), 1))
    return found


def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def decode(outputs):
    flat, points, steps = [], [], []
    for stride, level in zip(STRIDES, outputs, strict=True):
        array = level.detach().numpy()
        batch, channels, h, w = array.shape
        flat.append(array.reshape(batch, channels, h * w))
        row, col = np.divmod(np.arange(h * w), w)
        shift = 0.5
        points.append(np.stack([col + shift, row + shift], axis=1) * stride)
        steps.append(np.full(h * w, stride))
    flat = np.concatenate(flat, axis=2).transpose(0, 2, 1)
    points, steps = np.concatenate(points), np.concatenate(steps)[:, None]
    bins = flat[..., : 4 * BINS].reshape(*flat.shape[:2], 4, BINS)
    dist = softmax(bins, axis=-1) @ np.arange(BINS, dtype=np.float32)
    dist = dist * steps
    boxes = np.concatenate([points - dist[..., :2], points + dist[..., 2:]], axis=-1)
    return torch.from_numpy(boxes).float(), torch.from_numpy(flat[..., 4 * BINS :]).float()
