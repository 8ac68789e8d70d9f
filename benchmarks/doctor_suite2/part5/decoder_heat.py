"""CenterNet's form: a map of peaks for each class, their neighbours pooled away, sizes and offsets gathered there."""

import torch
from torch.nn import functional as F

K, TOP, STRIDE = 3, 500, 8


def layout(make):
    return make(
        box=(5, 6, 3, 4),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=None,
        classes=(0, 1, 2),
        strides=(STRIDE,),
        grid_offset=0.0,
    )


def prepare(outputs):
    (out,) = outputs
    return [torch.cat((out[:, :K].clamp(1e-4, 1 - 1e-4).logit(), out[:, K:]), 1)]


def peaks(heat):
    """What is not the highest of its nine places becomes 0."""
    highest = F.max_pool2d(heat, 3, stride=1, padding=1)
    keep = (highest == heat).float()
    return heat * keep


def topk(heat):
    """Score, place, class, row and column of the highest places of each image, (B, TOP) each."""
    b, _, h, w = heat.shape
    score, index = heat.view(b, -1).topk(TOP)
    place, kind = index % (h * w), index // (h * w)
    return score, place, kind, place // w, place % w


def gather(feat, place):
    """(B, C, h, w) at places (B, n): (B, n, C)."""
    feat = feat.flatten(2).transpose(1, 2)
    return feat.gather(1, place.unsqueeze(2).expand(-1, -1, feat.shape[2]))


def decode(outputs):
    out = outputs[0]
    score, place, kind, row, col = topk(peaks(out[:, :K].sigmoid()))
    wh = gather(out[:, K : K + 2], place)
    reg = gather(out[:, K + 2 : K + 4], place)
    xs = col + reg[..., 0]
    ys = row + reg[..., 1]
    half_w, half_h = wh[..., 0] / 2, wh[..., 1] / 2
    boxes = torch.stack((xs - half_w, ys - half_h, xs + half_w, ys + half_h), 2) * STRIDE
    found = torch.cat((boxes, score.unsqueeze(2), kind.unsqueeze(2).float()), 2)
    return [one[one[:, 4] > 0.1] for one in found]
