"""PP-YOLO's form, (h, w, A, 5 + K) a level: a sigmoid stretched beyond the cell, nothing where objectness is low."""

import torch

STRIDES = (8, 16, 32)
PRIORS = [(20, 26), (40, 34), (56, 70), (90, 60), (150, 110), (120, 190)]  # px, two a level
A, K = 2, 3
ALPHA = 1.2
SHIFT = 0.5 * (ALPHA - 1)


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=4,
        classes=(5, 6, 7),
        strides=STRIDES,
        grid_offset=0.0,
        size_unit="prior",
        size_function="log",
        anchors=(PRIORS[:2], PRIORS[2:4], PRIORS[4:]),
        axes="HWAC",
    )


def prepare(outputs):
    found = []
    for out in outputs:
        xy = ((out[..., :2] + SHIFT) / ALPHA).clamp(1e-6, 1 - 1e-6).logit()
        found.append(torch.cat((xy, out[..., 2:4], out[..., 4:].clamp(1e-6, 1 - 1e-6).logit()), -1))
    return found


def grid(h, w):
    """(h, w, 1, 2): column and row."""
    col = torch.arange(w)[None, :].expand(h, w)
    row = torch.arange(h)[:, None].expand(h, w)
    return torch.stack((col, row), -1).unsqueeze(2)


def yolo_box(feats, priors, to_px):
    """Boxes (B, h, w, A, 4) px and scores (B, h, w, A, K)."""
    h, w = feats.shape[1:3]
    xy = to_px(feats[..., :2].sigmoid() * ALPHA - SHIFT + grid(h, w))
    wh = feats[..., 2:4].exp() * torch.tensor(priors)
    confidence = feats[..., 4:5].sigmoid()
    sure = confidence > 0.005
    scores = confidence * feats[..., 5:].sigmoid()
    boxes = torch.cat((xy - wh / 2, xy + wh / 2), -1)
    return boxes * sure, scores * sure


def decode(outputs):
    scales = [lambda cells, stride=stride: cells * stride for stride in STRIDES]
    left, boxes, scores = list(PRIORS), [], []
    for k, feats in enumerate(outputs):
        own = [left.pop(0) for _ in range(A)]
        box, score = yolo_box(feats, own, scales[k])
        boxes.append(box.flatten(1, 3))
        scores.append(score.flatten(1, 3))
    return torch.cat(boxes, 1), torch.cat(scores, 1)
