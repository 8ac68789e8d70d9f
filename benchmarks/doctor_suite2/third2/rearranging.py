"""Cells put elsewhere: each function takes a map (B, c, h, w) and gives one of the same shape."""

import torch
from torch.nn import functional as F


def even_columns_first(made):
    """Even columns, then odd ones, as slices of a step of 2 are joined."""
    return torch.cat((made[..., 0::2], made[..., 1::2]), 3)


def antitransposed(made):
    """The square part mirrored at its other diagonal."""
    side = min(made.shape[2:])
    out = made.clone()
    out[:, :, :side, :side] = made[:, :, :side, :side].transpose(2, 3).flip((2, 3))
    return out


def quadrants(made):
    """Quadrants exchanged crosswise, as a shifted Fourier transform has them."""
    return torch.fft.fftshift(made, dim=(2, 3))


def padded_left(made):
    """A column of zeros on the left and none on the right, cut to the size before: all lies a column further right."""
    return F.pad(made, (1, 0, 0, 0))[..., :-1]


def as_width_by_height(made):
    """Viewed as (w, h) and transposed to (h, w)."""
    batch, channels, rows, cols = made.shape
    return made.reshape(batch, channels, cols, rows).transpose(2, 3)


def pooled_and_tiled(made):
    """A map of half the size, four times beside itself."""
    small = F.avg_pool2d(made, 2, ceil_mode=True)
    return small.repeat(1, 1, 2, 2)[:, :, : made.shape[2], : made.shape[3]]


def columns_drawn(made):
    """Columns in an order that was drawn once."""
    order = torch.randperm(made.shape[3], generator=torch.Generator().manual_seed(8))
    return made[..., order]


def third_rows_dropped(made):
    """Every third row left out, and as many repeated at the end."""
    rows = made.shape[2]
    left = torch.arange(rows)[torch.arange(rows) % 3 != 2]
    return made[:, :, torch.cat((left, left[-1].repeat(rows - len(left))))]


def outer_thirds_exchanged(made):
    """The left and the right third of the columns exchanged."""
    third = made.shape[3] // 3
    return torch.cat((made[..., -third:], made[..., third:-third], made[..., :third]), 3)


def averaged_with_the_next(made):
    """Each cell and its right neighbour, the mean of both: half a cell further left."""
    return F.avg_pool2d(F.pad(made, (0, 1, 0, 1), mode="replicate"), 2, 1)
