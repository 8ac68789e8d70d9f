"""Raw outputs of YOLOv5's head: centres (2 s - 0.5) from the corner of a cell, sides (2 s)^2 of a prior."""

import torch

STRIDES = (8, 16, 32)
PRIORS = (((24, 30), (48, 40)), ((80, 64), (96, 140)), ((200, 170), (300, 320)))
CLASSES = 2


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=4,
        classes=(5, 6),
        strides=STRIDES,
        grid_offset=0.0,
        size_unit="prior",
        anchors=PRIORS,
        axes="AC,H,W",
    )


def prepare(outputs):
    """Logits of everything."""
    found = []
    for level in outputs:
        part = level.unflatten(1, (2, 5 + CLASSES))
        xy = (part[:, :, :2] + 0.5) / 2
        wh = part[:, :, 2:4].clamp(min=0).sqrt() / 2
        shares = torch.cat((xy, wh, part[:, :, 4:]), 2).clamp(1e-6, 1 - 1e-6)
        found.append(torch.logit(shares).flatten(1, 2))
    return found


class Detect:
    no = 5 + CLASSES
    na = 2

    def __init__(self):
        self.anchors = torch.tensor(PRIORS, dtype=torch.float32)

    def make_grid(self, ny, nx):
        yv, xv = torch.meshgrid(torch.arange(ny), torch.arange(nx), indexing="ij")
        return torch.stack((xv, yv), 2).expand(1, self.na, ny, nx, 2).float()

    def __call__(self, x):
        z = []
        for i, feature in enumerate(x):
            bs, _, ny, nx = feature.shape
            stride = STRIDES[i]
            feature = feature.view(bs, self.na, self.no, ny, nx).permute(0, 1, 3, 4, 2).contiguous()
            xy, wh, conf = feature.sigmoid().split((2, 2, CLASSES + 1), 4)
            grid = self.make_grid(ny, nx)
            anchor_grid = self.anchors[i].view(1, self.na, 1, 1, 2)
            xy = (xy * 2 - 0.5 + grid) * stride
            wh = (wh * 2) ** 2 * anchor_grid
            z.append(torch.cat((xy, wh, conf), 4).view(bs, -1, self.no))
        return torch.cat(z, 1)


def xywh2xyxy(x):
    y = x.clone()
    y[..., 0] = x[..., 0] - x[..., 2] / 2
    y[..., 1] = x[..., 1] - x[..., 3] / 2
    y[..., 2] = x[..., 0] + x[..., 2] / 2
    y[..., 3] = x[..., 1] + x[..., 3] / 2
    return y


def decode(outputs):
    pred = Detect()(outputs)
    scores = pred[..., 5:] * pred[..., 4:5]
    return xywh2xyxy(pred[..., :4]), scores
