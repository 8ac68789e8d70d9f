"""Points that places are counted from, and lengths that they are divided by."""

from dataclasses import dataclass

import numpy as np

from .held import Held


@dataclass(frozen=True)
class Reference:
    """A point of a cell: ``offset`` of its side, on a grid of ``pitch`` px.

    ``cell``: "here", "meant" (where the encoder meant to write), "crossed" (row for column), or a grid that was built
    as (rows, columns, 2) and viewed as (2, rows, columns): "grid xy", "grid yx", and of turned sides with " of (w, h)".
    """

    cell: str
    offset: float
    pitch: float

    def point(self, held: Held, axis: int) -> np.ndarray:
        """(n,) px: its x (axis 0) or y (axis 1)."""
        if self.cell in ("here", "meant"):
            index = getattr(held, self.cell)[:, axis]
        elif self.cell == "crossed":
            index = held.here[:, 1 - axis]
        else:
            index = viewed(held, self.cell, axis)
        return (index + self.offset) * self.pitch

    def __str__(self) -> str:
        point = {0.0: "the corner", 0.5: "the middle", 1.0: "the far corner"}.get(
            self.offset, f"the point at {self.offset:g}"
        )
        where = {
            "here": "of the cell",
            "meant": "of the cell that was meant",
            "crossed": "of the cell with row for column",
        }
        said = where.get(self.cell, "of the cell that a grid built as (rows, columns, 2) and viewed as (2, …) names")
        return f"{point} {said} (cells of {self.pitch:g} px)"


GRIDS = ("grid xy", "grid yx", "grid xy of (w, h)", "grid yx of (w, h)")


def viewed(held: Held, kind: str, axis: int) -> np.ndarray:
    """(n,): the index that a grid built as (h, w, 2) and viewed as (2, h, w) holds at each cell, in one channel."""
    height, width = held.grids.T.astype(int)
    columns, rows = (held.here[:, i].round().astype(int) for i in range(2))
    flat = axis * height * width + rows.clip(0, height - 1) * width + columns.clip(0, width - 1)
    cell, part = np.divmod(flat, 2)
    row, column = np.divmod(cell, height if kind.endswith("(w, h)") else width)
    return np.where(part == (0 if kind.startswith("grid xy") else 1), column, row).astype(float)


LENGTHS = {
    "width": lambda held: held.sizes[:, 1],
    "height": lambda held: held.sizes[:, 0],
    "prior width": lambda held: held.priors[:, 0],
    "prior height": lambda held: held.priors[:, 1],
    "longer side": lambda held: held.sizes.max(1),
    "shorter side": lambda held: held.sizes.min(1),
    "width squared": lambda held: held.sizes[:, 1] ** 2,
    "height squared": lambda held: held.sizes[:, 0] ** 2,
}
"""(n,) px that units are which depend on the image, or on the prior, by name."""


@dataclass(frozen=True)
class Unit:
    """What a length is divided by: ``name`` in words' short form, ``factor`` px for lengths that are fixed."""

    name: str
    factor: float = 1.0

    def length(self, held: Held) -> np.ndarray:
        """(n,) px that one unit is."""
        if self.name in LENGTHS:
            return LENGTHS[self.name](held) * self.factor
        if self.name in held.others:
            return held.others[self.name] * self.factor
        return np.full(len(held), self.factor)

    def __str__(self) -> str:
        if self.name == "px":
            return "px"
        if self.name == "fixed":
            return f"units of {self.factor:.6g} px"
        if self.name == "stride":
            return f"strides of {self.factor:g} px"
        return f"{self.name}s" + (f" times {self.factor:.4g}" if self.factor != 1 else "")
