"""Logits without priors, suppressed to (n, 6) an image: centres from 2 s - 0.5, exponentials of sides in strides."""

import torch
from torchvision.ops import batched_nms

STRIDES = (8, 16, 32)
NO = 9


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
        size_function="log",
    )


def prepare(outputs):
    found = []
    for level in outputs:
        centre = ((level[:, :2] + 0.5) / 2).clamp(1e-4, 1 - 1e-4).logit()
        found.append(torch.cat((centre, level[:, 2:4], level[:, 4:].clamp(1e-5, 1 - 1e-5).logit()), 1))
    return found


def corners_of_cells(shapes):
    """(N, 2) px, and (N, 1) strides."""
    grids, steps = [], []
    for (h, w), stride in zip(shapes, STRIDES, strict=True):
        xs = torch.arange(w) * stride
        ys = torch.arange(h) * stride
        yv, xv = torch.meshgrid(ys, xs, indexing="ij")
        grids.append(torch.stack((xv, yv), 2).view(-1, 2))
        steps.append(torch.full((h * w, 1), stride))
    return torch.cat(grids), torch.cat(steps)


def postprocess(boxes, scores):
    confidence, label = scores.max(1)
    mask = confidence >= 0.3
    boxes, confidence, label = boxes[mask], confidence[mask], label[mask]
    keep = batched_nms(boxes, confidence, label, 0.65)
    return torch.cat((boxes, confidence[:, None], label[:, None].float()), 1)[keep]


def decode(outputs):
    x = torch.cat([level.flatten(2).transpose(1, 2) for level in outputs], 1)
    grids, steps = corners_of_cells([level.shape[2:] for level in outputs])
    centre = (x[..., :2].sigmoid() * 2 - 0.5) * steps + grids
    size = x[..., 2:4].exp() * steps
    probability = x[..., 4:].sigmoid()
    scores = probability[..., :1] * probability[..., 1:]
    boxes = torch.cat((centre - size / 2, centre + size / 2), -1)
    return [postprocess(*image) for image in zip(boxes, scores, strict=True)]
