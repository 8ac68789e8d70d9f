"""Theoretical receptive fields: which px of the network input an output cell can see, exactly and for every cell."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf, lcm

import numpy as np

from ..shown import Told


@dataclass(frozen=True)
class Axis:
    """What the cells along one axis see: cell i sees px ``low[i % q]`` to ``high[i % q]``, both + (i // q) * ``step``.

    q = len(low): cells beside one another can see differently after an upsampling, and again from the q-th on.
    -inf and inf: everything.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    step: float

    @property
    def stride(self) -> float:
        """Px from cell to cell."""
        return self.step / len(self.low)

    @property
    def whole(self) -> bool:
        """Whether a cell sees everything along this axis."""
        return not all(map(math.isfinite, (*self.low, *self.high)))

    @property
    def size(self) -> float:
        """Px that a cell sees, of the one that sees most."""
        return max(high - low for low, high in zip(self.low, self.high, strict=True))

    @property
    def center(self) -> float:
        """The middle of what cell 0 sees, in px; where cells differ, as the mean cell has it. Of everything: nan."""
        middles = (sum(self.span(cell)) / 2 - cell * self.stride for cell in range(len(self.low)))
        return sum(middles) / len(self.low)

    def span(self, cell: int) -> tuple[float, float]:
        """The first and the last px that a cell sees."""
        turn, i = divmod(cell, len(self.low))
        return self.low[i] + turn * self.step, self.high[i] + turn * self.step

    def through(self, reads: Callable[[int], Iterable[int]], outputs: int = 1, inputs: int = 1) -> "Axis":
        """The axis after an operation whose cell o reads the cells ``reads(o)``.

        ``outputs`` cells later it reads ``inputs`` cells later: a convolution of stride s has 1 and s, an upsampling
        by s has s and 1.
        """
        turns = lcm(len(self.low), inputs)
        low, high = [], []
        for cell in range(outputs * turns // inputs):
            spans = [self.span(read) for read in reads(cell)] or [(inf, -inf)]
            low.append(min(start for start, _ in spans))
            high.append(max(end for _, end in spans))
        return Axis(tuple(low), tuple(high), self.step * turns / len(self.low))

    def union(self, other: "Axis") -> "Axis":
        """What two axes of as many cells see together; everything where their cells do not lie alike."""
        if other.whole or (not self.whole and self.stride != other.stride):
            return everything(self)
        if self.whole:
            return everything(other)
        count = lcm(len(self.low), len(other.low))
        low, high = [], []
        for cell in range(count):
            (start, end), (other_start, other_end) = self.span(cell), other.span(cell)
            low.append(min(start, other_start))
            high.append(max(end, other_end))
        return Axis(tuple(low), tuple(high), self.stride * count)


def everything(axis: Axis) -> Axis:
    """An axis of such cells that see everything."""
    return Axis((-inf,), (inf,), axis.stride)


PIXELS = Axis((0.0,), (1.0,), 1.0)


@dataclass(frozen=True, repr=False)
class Field(Told):
    """What the cells of a grid see of the network input, in px of its frame, whatever its size; padding is not clipped.

    ``size`` (height, width) px, of the cell that sees most, inf for the whole image; ``stride`` (y, x) px from cell to
    cell; ``center`` (x, y) px, the middle of what cell (0, 0) sees, nan where that is the whole image.
    """

    y: Axis = PIXELS
    x: Axis = PIXELS

    @property
    def whole(self) -> bool:
        """Whether every cell can see the whole image."""
        return self.y.whole or self.x.whole

    @property
    def size(self) -> tuple[float, float]:
        """Height and width in px, of the cell that sees most."""
        return self.y.size, self.x.size

    @property
    def stride(self) -> tuple[float, float]:
        """Px from cell to cell, (y, x)."""
        return self.y.stride, self.x.stride

    @property
    def center(self) -> tuple[float, float]:
        """The middle of what cell (0, 0) sees, (x, y) px."""
        return self.x.center, self.y.center

    def span(self, row: int, col: int) -> np.ndarray:
        """What one cell sees, (4,) xyxy px, reaching beyond the image at its edges."""
        (top, bottom), (left, right) = self.y.span(row), self.x.span(col)
        return np.array([left, top, right, bottom])

    def __str__(self) -> str:
        if self.whole:
            return "whole image"
        height, width = self.size
        return f"{height:g}" if height == width else f"{height:g} × {width:g}"
