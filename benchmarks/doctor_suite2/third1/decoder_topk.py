"""Detections by name, the best thousand of each level, image by image; distances in px, as FCOS has them."""

import torch
from torchvision.ops import batched_nms

STRIDES = (8, 16, 32)
CLASSES = 5
THRESHOLD, TOPK = 0.05, 1000


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="ltrb",
        unit="px",
        objectness=None,
        classes=(4, 5, 6, 7, 8),
        strides=STRIDES,
        grid_offset=0.5,
    )


def locations(h, w, stride):
    shifts_x = torch.arange(0, w * stride, step=stride, dtype=torch.float32)
    shifts_y = torch.arange(0, h * stride, step=stride, dtype=torch.float32)
    shift_y, shift_x = torch.meshgrid(shifts_y, shifts_x, indexing="ij")
    return torch.stack((shift_x.reshape(-1), shift_y.reshape(-1)), dim=1) + stride // 2


def select(level, stride):
    """Boxes (n, 4), scores (n,) and labels (n,) of one image (C, h, w)."""
    _, h, w = level.shape
    points = locations(h, w, stride)
    regression = level[:4].permute(1, 2, 0).reshape(-1, 4)
    probability = level[4:].permute(1, 2, 0).reshape(-1, CLASSES)
    score, label = probability.max(dim=1)
    keep = torch.where(score > THRESHOLD)[0]
    score, label = score[keep], label[keep]
    score, order = score.topk(min(TOPK, len(score)))
    label, keep = label[order], keep[order]
    left_top = points[keep] - regression[keep, :2]
    right_bottom = points[keep] + regression[keep, 2:]
    return torch.cat((left_top, right_bottom), 1), score, label


def decode(outputs):
    results = []
    for image in range(len(outputs[0])):
        parts = [select(level[image], stride) for level, stride in zip(outputs, STRIDES, strict=True)]
        boxes, scores, labels = (torch.cat(part) for part in zip(*parts, strict=True))
        kept = batched_nms(boxes, scores, labels, 0.7)
        results.append({"boxes": boxes[kept], "scores": scores[kept], "labels": labels[kept]})
    return results
