"""Three priors a cell, offsets in the cell and logarithms of sides over the prior's, objectness: YOLOv3's form."""

import torch

STRIDES = (8, 16, 32)
PRIORS = (((14, 20), (38, 24), (30, 66)), ((62, 46), (60, 124), (144, 92)), ((118, 230), (268, 156), (330, 350)))
CLASSES = 3


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
        anchors=PRIORS,
        axes="AC,H,W",
    )


def cell_offsets(rows, cols):
    ys, xs = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    return xs.view(1, 1, rows, cols), ys.view(1, 1, rows, cols)


def decode_level(x, stride, priors):
    batch, _, rows, cols = x.shape
    pred = x.view(batch, len(priors), 5 + CLASSES, rows, cols).permute(0, 1, 3, 4, 2)
    grid_x, grid_y = cell_offsets(rows, cols)
    wh = torch.tensor(priors, dtype=x.dtype)
    prior_w, prior_h = wh[:, 0].view(1, -1, 1, 1), wh[:, 1].view(1, -1, 1, 1)
    cx = (pred[..., 0] + grid_x) * stride
    cy = (pred[..., 1] + grid_y) * stride
    w = torch.exp(pred[..., 2]) * prior_w
    h = torch.exp(pred[..., 3]) * prior_h
    boxes = torch.stack((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), -1)
    conf = pred[..., 4:5]
    scores = conf * pred[..., 5:]
    return boxes.reshape(batch, -1, 4), scores.reshape(batch, -1, CLASSES)


def decode(outputs):
    levels = [decode_level(*level) for level in zip(outputs, STRIDES, PRIORS, strict=True)]
    boxes, scores = zip(*levels, strict=True)
    return torch.cat(boxes, 1), torch.cat(scores, 1)
