"""Cells, strides and priors of all levels as tables as long as the predictions; three priors a cell."""

import torch

STRIDES = (8, 16, 32)
PRIORS = (((16, 16), (20, 40), (42, 22)), ((48, 60), (90, 56), (76, 110)), ((150, 120), (140, 260), (310, 220)))
K = 2
GRIDS = {}


def layout(make):
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="stride",
        relative=True,
        objectness=None,
        classes=(4, 5),
        strides=STRIDES,
        grid_offset=0.0,
        size_unit="prior",
        size_function="log",
        anchors=PRIORS,
        axes="AC,H,W",
    )


def grid(h, w):
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return torch.stack((x, y), -1).view(-1, 2)


def decode(outputs):
    flat, places, priors, counts = [], [], [], []
    for level, out in enumerate(outputs):
        b, _, h, w = out.shape
        flat.append(out.view(b, 3, 4 + K, h, w).permute(0, 3, 4, 1, 2).reshape(b, -1, 4 + K))
        mine = grid(h, w)
        places.append(mine.repeat_interleave(3, 0))
        priors.append(torch.tensor(PRIORS[level]).repeat(h * w, 1))
        counts.append(h * w * 3)
    x, places, priors = torch.cat(flat, 1), torch.cat(places), torch.cat(priors)
    strides = torch.tensor(STRIDES).repeat_interleave(torch.tensor(counts))[:, None]
    centre = (x[..., :2] + places) * strides
    ratio = x[..., 2:4].exp()
    half = ratio * priors / 2
    return torch.cat((centre - half, centre + half), -1), x[..., 4:]
