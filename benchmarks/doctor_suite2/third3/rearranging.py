"""Cells put elsewhere: each function takes a map (B, c, h, w) and gives one of the same shape."""

import torch
from torch.nn import functional as F


def three_rows_on(made):
    """Three rows down; the lowest come in above."""
    return made.roll(3, 2)


def one_flat_cell_on(made):
    """One cell on in the flat order: the last column comes first in the row below."""
    return made.flatten(2).roll(1, 2).view(made.shape)


def half_a_row_on(made):
    """Half a row on in the flat order."""
    return made.flatten(2).roll(made.shape[3] // 2, 2).view(made.shape)


def padded_above(made):
    """A row of zeros above and none below, cut to the size before: all lies a row further down."""
    return F.pad(made, (0, 0, 1, 0))[:, :, :-1]


def rows_exchanged(made):
    """Each even row and the next exchanged."""
    rows = made.shape[2] // 2 * 2
    out = made.clone()
    out[:, :, 0:rows:2], out[:, :, 1:rows:2] = made[:, :, 1:rows:2], made[:, :, 0:rows:2]
    return out


def square_turned(made):
    """The square part turned by a right angle."""
    side = min(made.shape[2:])
    out = made.clone()
    out[:, :, :side, :side] = torch.rot90(made[:, :, :side, :side], 1, (2, 3))
    return out
