"""Deltas from priors in numpy, offsets in the prior's own sides, as RetinaNet has them; two priors a cell."""

import numpy as np
import torch

STRIDES = (8, 16, 32)
PRIORS = (((26, 20), (30, 44)), ((70, 50), (64, 90)), ((160, 120), (200, 260)))
A, CLASSES = 2, 4


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="prior",
        relative=True,
        objectness=None,
        classes=(4, 5, 6, 7),
        strides=STRIDES,
        grid_offset=0.5,
        size_function="log",
        anchors=PRIORS,
        axes="AC,H,W",
    )


def decode(outputs):
    all_boxes, all_scores = [], []
    for output, stride, priors in zip(outputs, STRIDES, PRIORS, strict=True):
        array = output.detach().numpy()
        b, _, h, w = array.shape
        deltas = array.reshape(b, A, 4 + CLASSES, h, w).transpose(0, 3, 4, 1, 2)
        ys, xs = np.mgrid[:h, :w]
        sizes = np.array(priors, dtype=np.float32)
        centre_x = (xs[..., None] + 0.5) * stride
        centre_y = (ys[..., None] + 0.5) * stride
        cx = centre_x + deltas[..., 0] * sizes[:, 0]
        cy = centre_y + deltas[..., 1] * sizes[:, 1]
        bw = np.exp(deltas[..., 2]) * sizes[:, 0]
        bh = np.exp(deltas[..., 3]) * sizes[:, 1]
        boxes = np.stack((cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2), -1)
        all_boxes.append(boxes.reshape(b, -1, 4))
        all_scores.append(deltas[..., 4:].reshape(b, -1, CLASSES))
    boxes, scores = np.concatenate(all_boxes, 1), np.concatenate(all_scores, 1)
    return torch.from_numpy(boxes).float(), torch.from_numpy(scores).float()
