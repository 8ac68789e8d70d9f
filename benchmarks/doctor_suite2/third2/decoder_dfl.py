"""Points and strides of all levels in two flat tensors, twenty bins a side: YOLOv8's form."""

import torch

STRIDES = (8, 16, 32)
R = 20


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="ltrb",
        unit="stride",
        objectness=None,
        classes=(4, 5, 6),
        strides=STRIDES,
        grid_offset=0.5,
    )


def prepare(outputs):
    found = []
    for level in outputs:
        sides = level[:, :4].clamp(0, R - 1.001)
        near = 1 - (sides[:, :, None] - torch.arange(R).view(1, 1, R, 1, 1)).abs()
        found.append(torch.cat((near.clamp(min=1e-8).log().flatten(1, 2), level[:, 4:]), 1))
    return found


def make_anchors(shapes, offset=0.5):
    points, steps = [], []
    for (h, w), stride in zip(shapes, STRIDES, strict=True):
        sx = torch.arange(w) + offset
        sy = torch.arange(h) + offset
        sy, sx = torch.meshgrid(sy, sx, indexing="ij")
        points.append(torch.stack((sx, sy), -1).view(-1, 2))
        steps.append(torch.full((h * w, 1), float(stride)))
    return torch.cat(points), torch.cat(steps)


def integral(x):
    b, n, _ = x.shape
    return x.view(b, n, 4, R).softmax(3) @ torch.arange(R).float()


def dist2bbox(distance, points):
    lt, rb = distance.chunk(2, -1)
    return torch.cat((points - lt, points + rb), -1)


def flatten(levels):
    return torch.cat([level.flatten(2) for level in levels], 2).transpose(1, 2)


def decode(outputs):
    points, steps = make_anchors([level.shape[2:] for level in outputs])
    regression = flatten([level[:, : 4 * R] for level in outputs])
    scores = flatten([level[:, 4 * R :] for level in outputs])
    return dist2bbox(integral(regression.contiguous()), points) * steps, scores
