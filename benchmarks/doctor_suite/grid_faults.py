"""Faults of grids: a level's outputs, boxes alone or classes alone, arranged otherwise than its cells lie."""

from collections.abc import Callable

import torch
from torch import Tensor

from .faults.fault import named
from .grids import Watcher

SCRAMBLED = named("scrambled_layout")
TURNED = named("scrambled_layout", "axes_swapped")
ROLLED = named("off_by_one_cell", "scrambled_layout")


def viewed(made: Tensor) -> Tensor:
    """(B, c, h, w) as if it were (B, h, w, c)."""
    batch, channels, rows, cols = made.shape
    return made.reshape(batch, rows, cols, channels).permute(0, 3, 1, 2)


def unviewed(made: Tensor) -> Tensor:
    """(B, h, w, c) kept as if it were (B, c, h, w)."""
    return made.permute(0, 2, 3, 1).reshape(made.shape)


def turned(made: Tensor) -> Tensor:
    """Cells counted down the columns."""
    return made.transpose(2, 3).reshape(made.shape)


def transposed(made: Tensor) -> Tensor:
    """Rows for columns in the part that is square, the rest as it is: right nowhere, and no shape tells."""
    side = min(made.shape[2:])
    out = made.clone()
    out[:, :, :side, :side] = made[:, :, :side, :side].transpose(2, 3)
    return out


def by_rows(made: Tensor) -> Tensor:
    """Flat cells read with the number of rows for that of columns: right on squares."""
    rows, cols = made.shape[2:]
    row, col = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    return made.flatten(2)[:, :, (row * rows + col) % (rows * cols)]


def row_down(made: Tensor) -> Tensor:
    return made.roll(1, 2)


def row_up(made: Tensor) -> Tensor:
    return made.roll(-1, 2)


def column_right(made: Tensor) -> Tensor:
    return made.roll(1, 3)


def two_columns(made: Tensor) -> Tensor:
    return made.roll(2, 3)


def diagonal(made: Tensor) -> Tensor:
    return made.roll((1, 1), (2, 3))


def mirrored(made: Tensor) -> Tensor:
    return made.flip(3)


def upside_down(made: Tensor) -> Tensor:
    return made.flip(2)


def half_turn(made: Tensor) -> Tensor:
    return made.flip((2, 3))


def flat_on(made: Tensor) -> Tensor:
    """The flat cells two further: the last columns come first in the row below."""
    return made.flatten(2).roll(2, 2).view(made.shape)


def odd_rows_turned(made: Tensor) -> Tensor:
    """Every second row from right to left."""
    out = made.clone()
    out[:, :, 1::2] = made[:, :, 1::2].flip(3)
    return out


def halves(made: Tensor) -> Tensor:
    """Left and right half exchanged."""
    return made.roll(made.shape[3] // 2, 3)


def moved(part: str, level: int | None, change: Callable[[Tensor], Tensor]) -> type[Watcher]:
    """A mix-in that changes the boxes, the classes or both of a level, or of all for None."""

    class Moved(Watcher):
        def classes_out(self, index: int, made: Tensor) -> Tensor:
            made = super().classes_out(index, made)
            return change(made) if part != "boxes" and level in (None, index) else made

        def boxes_out(self, index: int, made: Tensor) -> Tensor:
            made = super().boxes_out(index, made)
            return change(made) if part != "classes" and level in (None, index) else made

    return Moved


BOXES = (
    ("viewed as (h, w, 4)", viewed, SCRAMBLED, 0, "distances"),
    ("viewed as (h, w, 4)", viewed, SCRAMBLED, 1, "three levels"),
    ("viewed as (4, h, w)", unviewed, SCRAMBLED, None, "from the corners of cells"),
    ("viewed as (h, w, 24)", viewed, SCRAMBLED, 0, "bins"),
    ("counted down the columns", turned, TURNED, 1, "distances"),
    ("counted down the columns", turned, TURNED, 0, "wide sight"),
    ("transposed within a square", transposed, TURNED, 0, "distances"),
    ("counted by rows for columns", by_rows, TURNED | {"image_size_swapped"}, 0, "three levels"),
    ("rolled a row down", row_down, ROLLED, 0, "distances"),
    ("rolled a row up", row_up, ROLLED, 1, "bins"),
    ("rolled a column", column_right, ROLLED, None, "centre and size"),
    ("rolled along both", diagonal, ROLLED, 0, "two anchors a cell"),
    ("mirrored", mirrored, SCRAMBLED, 0, "distances"),
    ("mirrored", mirrored, SCRAMBLED, 1, "three levels"),
    ("upside down", upside_down, SCRAMBLED, None, "coarse levels"),
    ("turned by a half", half_turn, SCRAMBLED, 0, "from the corners of cells"),
    ("with odd rows turned", odd_rows_turned, SCRAMBLED, 0, "distances"),
    ("with halves exchanged", halves, ROLLED, 1, "wide sight"),
)
CLASSES = (
    ("viewed as (h, w, c)", viewed, SCRAMBLED, 0, "three levels"),
    ("counted down the columns", turned, TURNED, 1, "distances"),
    ("counted by rows for columns", by_rows, TURNED | {"image_size_swapped"}, 0, "distances"),
    ("rolled two columns", two_columns, ROLLED, 0, "distances"),
    ("mirrored", mirrored, SCRAMBLED, 0, "bins"),
    ("upside down", upside_down, SCRAMBLED, 1, "coarse levels"),
)
BOTH = (
    ("viewed as (h, w, c)", viewed, SCRAMBLED, 0, "distances"),
    ("rolled two columns", two_columns, ROLLED, 1, "three levels"),
    ("two flat cells on", flat_on, ROLLED, 0, "bins"),
    ("mirrored", mirrored, SCRAMBLED, 0, "centre and size"),
    ("with odd rows turned", odd_rows_turned, SCRAMBLED, None, "two anchors a cell"),
    ("counted down the columns", turned, TURNED, 0, "from the corners of cells"),
)
