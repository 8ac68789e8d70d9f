"""Maps from px of an image to cells of a level, right and wrong ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np

REACH = 1.6
"""Cells around the centre that schemes fill beside it."""


@dataclass(frozen=True)
class CellMap:
    """How the encoder goes from px to cells on one level.

    ``stride`` px; ``swapped``: rows and columns change places; ``rescaled``: height and width of the image are used one
    for the other; ``order``: the flat cell index is read "row", "column" (built column by column, viewed row by row) or
    "height" (row * h + column); ``flipped``: x, y counted from the other side; ``square``: both sides of the image are
    taken for its "longer" or its "shorter" one; ``shift``: (x, y) cells too far; ``fit``: the share of the ``seen``
    objects explained.
    """

    stride: float
    swapped: bool = False
    rescaled: bool = False
    order: str = "row"
    flipped: tuple[bool, bool] = (False, False)
    square: str = ""
    shift: tuple[float, float] = (0.0, 0.0)
    fit: float = 1.0
    seen: int = 0

    @property
    def turned(self) -> bool:
        """Whether rows and columns, or the image's sides, are exchanged."""
        return self.swapped or self.rescaled or bool(self.square)

    def cost(self, stride: float) -> int:
        """How many things are otherwise than on a level that declares ``stride``."""
        return (
            (self.stride != stride)
            + self.swapped
            + self.rescaled
            + (self.order != "row")
            + bool(self.square)
            + sum(self.flipped)
        )

    def codes(self, stride: float) -> dict[str, str]:
        """The faults that this map amounts to on a level that declares ``stride``, each with words."""
        shifts = {abs(value) for value in self.shift}
        found = {
            "axes_swapped": (self.swapped, "cells are filled at (x, y) instead of (y, x)"),
            "wrong_stride": (self.stride != stride, f"cells are found with stride {self.stride:.5g}"),
            "image_size_swapped": (
                self.rescaled or self.order == "height" or bool(self.square),
                f"both sides of the image are taken for its {self.square} one"
                if self.square
                else "cells are found with height and width exchanged",
            ),
            "scrambled_layout": (
                self.order == "column",
                "cells are numbered column by column and viewed row by row",
            ),
            "half_cell_offset": (bool(shifts & {0.5, 1.5}), f"cells lie {self.shift} (x, y) too far"),
            "off_by_one_cell": (bool(shifts & {1.0}), f"cells lie {self.shift} (x, y) too far"),
            "wrong_cell": (any(self.flipped), f"{_flips(self.flipped)} counted from the other side"),
        }
        return {code: words for code, (there, words) in found.items() if there}

    def cells(self, x: Any, y: Any, height: Any, width: Any) -> tuple[Any, Any]:
        """Continuous (row, column) of points in px on an image of height, width; order is left out."""
        x = width - x if self.flipped[0] else x
        y = height - y if self.flipped[1] else y
        u, v = x / self.stride, y / self.stride
        if self.rescaled:
            u, v = u * height / width, v * width / height
        if self.square:
            side = np.maximum(height, width) if self.square == "longer" else np.minimum(height, width)
            u, v = u * width / side, v * height / side
        u, v = u + self.shift[0], v + self.shift[1]
        return (u, v) if self.swapped else (v, u)

    def intended(
        self, rows: Any, columns: Any, shape: tuple[int, int], near: tuple[float, float] | None = None
    ) -> tuple[Any, Any]:
        """The (row, column) that the encoder meant when it wrote to these cells of a grid ``shape`` (h, w).

        ``near``: row and column of the object; of cells that one number may mean the nearest is taken.
        """
        rows, columns = reorder(rows, columns, shape, self.order)
        if self.order == "height" and near is not None:
            rows, columns = _nearest(rows, columns, shape, near)
        if self.swapped:
            rows, columns = columns, rows
        return rows - self.shift[1], columns - self.shift[0]

    def leaves(self, boxes: np.ndarray, image_size: tuple[int, int], shape: tuple[int, int], declared: float) -> bool:
        """Whether a wrong map sends these boxes, or cells around them, beyond a grid of ``shape`` (h, w)."""
        height, width = image_size
        plain = int(height / declared), int(width / declared)
        if not any(self.shift) and self.cost(declared) == 0 and shape == plain:
            return False
        x, y = boxes[:, [0, 2]].reshape(-1), boxes[:, [1, 3]].reshape(-1)
        rows, columns = self.cells(x, y, height, width)
        over = np.concatenate((rows - shape[0], columns - shape[1], -rows, -columns)).max()
        return bool(over > -REACH)


def _flips(flipped: tuple[bool, bool]) -> str:
    return " and ".join(name for name, there in zip("xy", flipped, strict=True) if there) + " is"


def reorder(rows: Any, columns: Any, shape: tuple[int, int], order: str) -> tuple[Any, Any]:
    """Rows and columns of cells that were numbered otherwise than row by row."""
    height, width = shape
    if order == "row":
        return rows, columns
    flat = rows * width + columns
    if order == "column":
        return flat % height, flat // height
    return flat // height, flat % height


def _nearest(rows: Any, columns: Any, shape: tuple[int, int], near: tuple[float, float]) -> tuple[Any, Any]:
    """The same where row * h + column may have gone on from a column beyond h to the next row."""
    height, width = shape
    turns = np.round((near[1] - columns) / height).clip(0, max(-(-width // height) - 1, 0))
    turns = np.minimum(turns, rows)
    return rows - turns, columns + turns * height
