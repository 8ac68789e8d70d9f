"""The pyramid of one pass: how the flat index of a head runs over the grids of its levels, where its anchors lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..arguments import whole_numbers
from ..shown import Record


@dataclass(frozen=True)
class Cells:
    """Places on the pyramid, (n,) int64 each: level index, row and column on that level's grid, anchor of the cell."""

    level: np.ndarray
    row: np.ndarray
    col: np.ndarray
    turn: np.ndarray


@dataclass(frozen=True, repr=False)
class Pyramid(Record):
    """Grids, steps and numbering of the anchors of one pass, finest level first. Made by ``Head.pyramid``.

    ``shapes`` (rows, columns) a level; ``steps`` from one anchor point to the next, (x, y) px of the network input a
    level; ``offset`` how far right of and below column and row a point stands, in steps: 0.5 is mid-cell. Anchor
    ``turn`` of the ``anchors_per_cell`` of a cell (a number, or one for each level) has the flat index
    cell * anchors_per_cell + turn, cells counted row by row and level by level. Raises ValueError where grids, steps
    and these differ in number.
    """

    shapes: tuple[tuple[int, int], ...]
    steps: tuple[tuple[float, float], ...]
    offset: float = 0.5
    anchors_per_cell: int | tuple[int, ...] = 1

    def __post_init__(self):
        if len(self.shapes) != len(self.steps):
            raise ValueError(
                f"Each level needs a grid and a step, but {len(self.shapes)} grids and {len(self.steps)} steps came."
            )
        if isinstance(self.anchors_per_cell, tuple) and len(self.anchors_per_cell) != len(self.shapes):
            raise ValueError(
                f"Anchors of a cell are one number, or one for each of the {len(self.shapes)} levels, but "
                f"{self.anchors_per_cell} came."
            )

    @classmethod
    def of(cls, shapes: Sequence, strides: Sequence[float], offset: float = 0.5) -> "Pyramid":
        """The pyramid of grids with as many px from point to point along x as along y, and one anchor a cell."""
        shapes = tuple((int(rows), int(cols)) for rows, cols in shapes)
        return cls(shapes, tuple((stride, stride) for stride in strides), offset)

    def anchors_at(self, level: int) -> int:
        """Anchors of a cell of this level."""
        many = self.anchors_per_cell
        return many[level] if isinstance(many, tuple) else many

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Anchors of each level."""
        return tuple(rows * cols * self.anchors_at(level) for level, (rows, cols) in enumerate(self.shapes))

    @cached_property
    def starts(self) -> np.ndarray:
        """The first anchor of each level, and their number as the last entry, (levels + 1,) int64."""
        return np.cumsum([0, *self.counts])

    @property
    def count(self) -> int:
        """Anchors of all levels."""
        return int(self.starts[-1])

    @property
    def slices(self) -> tuple[slice, ...]:
        """The anchors of each level among those of all."""
        return tuple(slice(first, last) for first, last in pairwise(self.starts.tolist()))

    def cells(self, anchors: Any = None) -> Cells:
        """The cells of flat ``anchors`` (n,), by default of all; raises ValueError beyond the grids."""
        anchors = np.arange(self.count) if anchors is None else whole_numbers(anchors, "Anchors")
        if anchors.size and (anchors.min() < 0 or anchors.max() >= self.count):
            raise ValueError(
                f"Anchors run from 0 to {self.count - 1} here, but {anchors.min()} to {anchors.max()} came."
            )
        level = np.searchsorted(self.starts, anchors, side="right") - 1
        cell, turn = np.divmod(anchors - self.starts[level], self._turns[level])
        row, col = np.divmod(cell, np.asarray([cols for _, cols in self.shapes])[level])
        return Cells(level=level, row=row, col=col, turn=turn)

    @overload
    def anchor(self, level: int, row: int, col: int, turn: int = 0) -> int: ...

    @overload
    def anchor(self, level: int, row: ArrayLike, col: ArrayLike, turn: ArrayLike = 0) -> Any: ...

    def anchor(self, level: int, row: ArrayLike, col: ArrayLike, turn: ArrayLike = 0) -> Any:
        """The flat anchor of a cell; rows and columns can be arrays. Raises ValueError outside the grid."""
        rows, cols = self.shapes[level]
        row, col, turn = np.broadcast_arrays(row, col, turn)
        outside = (row < 0) | (row >= rows) | (col < 0) | (col >= cols)
        if outside.any():
            first = int(outside.argmax())
            raise ValueError(
                f"Cell ({row.flat[first]}, {col.flat[first]}) is outside the {rows} × {cols} grid of level {level}."
            )
        many = self.anchors_at(level)
        if ((turn < 0) | (turn >= many)).any():
            raise ValueError(f"A cell has anchors 0 to {many - 1} here, but {turn.max()} was given.")
        anchors = self.starts[level] + (row * cols + col) * many + turn
        return anchors if anchors.ndim else int(anchors)

    def points(self, anchors: Any = None) -> np.ndarray:
        """The anchor points of ``anchors``, by default of all: (n, 2) float64 xy px of the network input."""
        cells = self.cells(anchors)
        return self.points_at(cells.level, cells.row, cells.col)

    def points_at(self, level: int | np.ndarray, row: ArrayLike, col: ArrayLike) -> np.ndarray:
        """The anchor points of cells, (n,) rows and columns of one level or of a level each -> (n, 2) xy px."""
        return (np.stack((col, row), -1) + self.offset) * self._steps[level]

    def outlines(self, level: int | np.ndarray, row: ArrayLike, col: ArrayLike) -> np.ndarray:
        """The cells about their points, each a step wide and high, (n, 4) xyxy px; arguments as in ``points_at``."""
        ends = np.stack((col, row, np.add(col, 1), np.add(row, 1)), -1)
        return (ends + (self.offset - 0.5)) * np.tile(self._steps, 2)[level]

    def edges(self, level: int) -> tuple[np.ndarray, np.ndarray]:
        """The edges of a level's cells in px of the input: x (columns + 1,) and y (rows + 1,)."""
        rows, cols = self.shapes[level]
        step_x, step_y = self.steps[level]
        start = self.offset - 0.5
        return (np.arange(cols + 1) + start) * step_x, (np.arange(rows + 1) + start) * step_y

    def at(self, level: int, points: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of the cells of a level at points (..., 2) xy px; off the grid, of the nearest."""
        step, (rows, cols) = self._steps[level], self.shapes[level]
        place = ((np.asarray(points) - (self.offset - 0.5) * step) // step).astype(np.int64)
        return place[..., 1].clip(0, rows - 1), place[..., 0].clip(0, cols - 1)

    def same_spot(self, level: int, row: int, col: int, other: int) -> tuple[slice, slice]:
        """Rows and columns of the cells of level ``other`` with their points in a cell, else of the one around it."""
        box, point = self.outlines(level, row, col), self.points_at(level, row, col)
        around, spot = self.at(other, point), []
        for axis, nearest in zip((1, 0), around, strict=True):
            along = (np.arange(self.shapes[other][1 - axis]) + self.offset) * self.steps[other][axis]
            inside = np.flatnonzero((along >= box[axis]) & (along < box[axis + 2]))
            first, last = (inside[0], inside[-1]) if len(inside) else (nearest, nearest)
            spot.append(slice(int(first), int(last) + 1))
        return spot[0], spot[1]

    def lattice(self, level: int, like: Tensor) -> Tensor:
        """The anchor points of all cells of a level in steps, (1, 2, rows, columns) xy, on the device of ``like``."""
        ranges = (torch.arange(count, device=like.device) + self.offset for count in self.shapes[level])
        y, x = torch.meshgrid(*ranges, indexing="ij")
        return torch.stack((x, y))[None].to(like.dtype)

    def split(self, values: Tensor) -> tuple[Tensor, ...]:
        """Values of all cells (..., anchors), for one anchor a cell, as views (..., rows, columns) a level."""
        parts = values.split(self.counts, -1)
        return tuple(part.unflatten(-1, shape) for part, shape in zip(parts, self.shapes, strict=True))

    def flatten(self, levels: Sequence[Tensor]) -> Tensor:
        """What a class convolution puts out, (anchors_per_cell * c, rows, columns) a level, as (c, anchors)."""
        return torch.cat([self.flatten_level(level, index) for index, level in enumerate(levels)], 1)

    def flatten_level(self, level: Tensor, index: int = 0) -> Tensor:
        """As ``flatten``, of the level of this index alone."""
        if self.anchors_at(index) == 1:
            return level.flatten(1)
        return level.unflatten(0, (self.anchors_at(index), -1)).permute(1, 2, 3, 0).flatten(1)

    @cached_property
    def _turns(self) -> np.ndarray:
        return np.array([self.anchors_at(level) for level in range(len(self.shapes))], dtype=np.int64)

    @cached_property
    def _steps(self) -> np.ndarray:
        return np.asarray(self.steps, dtype=np.float64)
