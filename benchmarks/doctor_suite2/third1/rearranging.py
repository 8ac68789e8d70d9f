"""Cells put elsewhere: each function takes a map (B, c, h, w) and gives one of the same shape."""

import math

import torch
from torch.nn import functional as F


def snake(made):
    """Every second column from the bottom up."""
    out = made.clone()
    out[..., 1::2] = made[..., 1::2].flip(2)
    return out


def strewn(made):
    """Cells in an order that was drawn once."""
    count = made.shape[2] * made.shape[3]
    order = torch.randperm(count, generator=torch.Generator().manual_seed(5))
    return made.flatten(2)[:, :, order].view(made.shape)


def windowed(made):
    """Windows of 4 x 4, one after another, as a transformer attends to them, and never put back."""
    batch, channels, rows, cols = made.shape
    high, wide = math.gcd(rows, 4), math.gcd(cols, 4)
    parts = made.reshape(batch, channels, rows // high, high, cols // wide, wide)
    return parts.permute(0, 1, 2, 4, 3, 5).reshape(made.shape)


def blocks_turned(made):
    """The four cells of each 2 x 2 block: the upper right and the lower left exchanged."""
    out = made.clone()
    rows, cols = made.shape[2] // 2 * 2, made.shape[3] // 2 * 2
    out[:, :, 0:rows:2, 1:cols:2] = made[:, :, 1:rows:2, 0:cols:2]
    out[:, :, 1:rows:2, 0:cols:2] = made[:, :, 0:rows:2, 1:cols:2]
    return out


def enlarged(made):
    """The middle of the map at twice its size."""
    rows, cols = made.shape[2:]
    middle = made[:, :, rows // 4 : rows - rows // 4, cols // 4 : cols - cols // 4]
    return F.interpolate(middle, size=(rows, cols), mode="nearest")


def left_mirrored(made):
    """The left half from right to left."""
    half = made.shape[3] // 2
    return torch.cat((made[..., :half].flip(3), made[..., half:]), 3)


def by_morton(made):
    """Cells in the order of a Z-curve."""
    rows, cols = made.shape[2:]
    row, col = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    code = torch.zeros_like(row)
    for bit in range(10):
        code |= ((col >> bit) & 1) << (2 * bit)
        code |= ((row >> bit) & 1) << (2 * bit + 1)
    return made.flatten(2)[:, :, code.flatten().argsort()].view(made.shape)


def last_row_first(made):
    """The last row above the others."""
    return torch.cat((made[:, :, -1:], made[:, :, :-1]), 2)
