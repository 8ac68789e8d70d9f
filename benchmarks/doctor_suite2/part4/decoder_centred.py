"""FCOS's form on five levels: exponentials of four distances, scaled level by level, and how central a point is."""

from functools import cache

import torch
from torchvision.ops import nms

STRIDES = (8, 16, 32, 64, 128)
SCALES = (0.8, 0.9, 1.1, 1.2, 1.3)
K = 3
PRE_NMS_THRESH, PRE_NMS_TOP_N, NMS_THRESH = 0.05, 1000, 0.6


def layout(make):
    return make(
        box=(3, 4, 5, 6),
        format="ltrb",
        unit="stride",
        objectness=7,
        classes=(0, 1, 2),
        strides=STRIDES,
        grid_offset=0.5,
        size_function="log",
    )


def prepare(outputs):
    found = []
    for level, scale in zip(outputs, SCALES, strict=True):
        logits = level.clamp(1e-5, 1 - 1e-5).logit()
        found.append(torch.cat((logits[:, :K], level[:, K : K + 4] / scale, logits[:, K + 4 :]), 1))
    return found


@cache
def corners_of_cells(h, w, stride):
    """(h * w, 2) px."""
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return torch.stack((x.flatten(), y.flatten()), 1) * stride


class PostProcessor:
    def __init__(self, scales):
        self.scales = scales

    def one_level(self, level, feature, stride):
        """Boxes, scores and labels of one image on one level."""
        _, h, w = feature.shape
        locations = corners_of_cells(h, w, stride)
        half = stride // 2
        locations = locations + half
        flat = feature.flatten(1).T
        sides = torch.exp(self.scales[level] * flat[:, K : K + 4]) * stride
        centrality = flat[:, K + 4 :].sigmoid()
        scores = flat[:, :K].sigmoid() * centrality
        boxes = torch.cat((locations - sides[:, :2], locations + sides[:, 2:]), 1)
        place, label = (scores > PRE_NMS_THRESH).nonzero(as_tuple=True)
        score, order = scores[place, label].topk(min(PRE_NMS_TOP_N, len(place)))
        return boxes[place[order]], score, label[order]

    def suppressed(self, boxes, scores, labels):
        kept = [labels[:0]]
        for label in labels.unique():
            mine = (labels == label).nonzero()[:, 0]
            kept.append(mine[nms(boxes[mine], scores[mine], NMS_THRESH)])
        return torch.cat(kept)

    def __call__(self, outputs):
        results = []
        for image in zip(*outputs, strict=True):
            parts = [self.one_level(n, x, stride) for n, (x, stride) in enumerate(zip(image, STRIDES, strict=True))]
            boxes, scores, labels = (torch.cat(part) for part in zip(*parts, strict=True))
            keep = self.suppressed(boxes, scores, labels)
            results.append({"boxes": boxes[keep], "scores": scores[keep], "labels": labels[keep]})
        return results


def decode(outputs):
    return PostProcessor(SCALES)(outputs)
