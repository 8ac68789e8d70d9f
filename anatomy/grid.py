"""Cells and anchors: how the flat index of a head runs over the grids of its levels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .arguments import whole_number, whole_numbers


@dataclass(frozen=True)
class Cells:
    """Places on the pyramid, (n,) int64 each: level index, and row and column on that level's grid."""

    level: np.ndarray
    row: np.ndarray
    col: np.ndarray

    def centers(self, steps: Sequence, offset: float = 0.5) -> np.ndarray:
        """Anchor points (n, 2) xy in px of the network input: by default the middle of each cell.

        ``steps`` is one number a level, or one (x, y), in px; ``offset`` is in steps.
        """
        step = np.asarray(steps, dtype=np.float64).reshape(len(steps), -1)[self.level]
        return (np.stack((self.col, self.row), 1) + offset) * step


def cells(anchors, shapes: Sequence[tuple[int, int]], per_cell: int = 1) -> Cells:
    """The cells of flat ``anchors`` (n,) over levels with grids ``shapes`` (rows, columns), in the head's order."""
    anchors = whole_numbers(anchors, "Anchors")
    starts = np.cumsum([0] + [rows * cols for rows, cols in shapes])
    last = starts[-1] * per_cell - 1
    if anchors.size and (anchors.min() < 0 or anchors.max() > last):
        raise ValueError(f"Anchors run from 0 to {last} here, but {anchors.min()} to {anchors.max()} came.")
    cell = anchors // per_cell
    level = np.searchsorted(starts, cell, side="right") - 1
    row, col = np.divmod(cell - starts[level], np.asarray([cols for _, cols in shapes])[level])
    return Cells(level, row, col)


def anchor(level: int, row: int, col: int, shapes: Sequence[tuple[int, int]]) -> int:
    """The flat anchor of one cell; raises ValueError outside the grid."""
    row, col = whole_number(row, "row"), whole_number(col, "col")
    rows, cols = shapes[level]
    if not (0 <= row < rows and 0 <= col < cols):
        raise ValueError(f"Cell ({row}, {col}) is outside the {rows} × {cols} grid of level {level}.")
    return sum(r * c for r, c in shapes[:level]) + row * cols + col


def middles(shape: tuple[int, int], like: Tensor) -> Tensor:
    """The middles of all cells of a (rows, columns) grid in strides, (1, 2, rows, columns) xy."""
    y, x = torch.meshgrid(*(torch.arange(count, device=like.device) + 0.5 for count in shape), indexing="ij")
    return torch.stack((x, y))[None].to(like.dtype)
