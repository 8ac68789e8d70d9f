"""Cells and anchors: how the flat index of a head runs over the grids of its levels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cells:
    """Places on the pyramid, (n,) int64 each: level index, and row and column on that level's grid."""

    level: np.ndarray
    row: np.ndarray
    col: np.ndarray

    def centers(self, strides: Sequence[float]) -> np.ndarray:
        """Anchor points (n, 2) xy in px of the network input: the middle of each cell."""
        stride = np.asarray(strides, dtype=np.float64)[self.level]
        return np.stack(((self.col + 0.5) * stride, (self.row + 0.5) * stride), 1)


def cells(anchors, shapes: Sequence[tuple[int, int]]) -> Cells:
    """The cells of flat ``anchors`` (n,) over levels with grids ``shapes`` (rows, columns), finest first."""
    anchors = np.asarray(anchors, dtype=np.int64)
    starts = np.cumsum([0] + [rows * cols for rows, cols in shapes])
    if anchors.size and (anchors.min() < 0 or anchors.max() >= starts[-1]):
        raise ValueError(f"Anchors run from 0 to {starts[-1] - 1} here, but {anchors.min()} to {anchors.max()} came.")
    level = np.searchsorted(starts, anchors, side="right") - 1
    row, col = np.divmod(anchors - starts[level], np.asarray([cols for _, cols in shapes])[level])
    return Cells(level, row, col)


def anchor(level: int, row: int, col: int, shapes: Sequence[tuple[int, int]]) -> int:
    """The flat anchor of one cell; raises ValueError outside the grid."""
    rows, cols = shapes[level]
    if not (0 <= row < rows and 0 <= col < cols):
        raise ValueError(f"Cell ({row}, {col}) is outside the {rows} × {cols} grid of level {level}.")
    return sum(r * c for r, c in shapes[:level]) + row * cols + col
