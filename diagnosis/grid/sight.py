"""Which pixels do the cells of a level look at? The gradient of their class logits, back to the network's input."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from anatomy import Level, Pyramid
from anatomy.shown import Record
from anatomy.tracing.gradient import DifferentiablePass

ROWS, COLS = (0.3, 0.7), (0.25, 0.5, 0.75)  # of a grid: the cells asked, far enough from every border
REACH = 4.0  # strides: the width of the window in which a centre is sought
STRAIGHT = 0.4  # by which a slope may differ from that of cells that look where they lie
TURNS = 30  # of the search for a centre


@dataclass(frozen=True, repr=False)
class Sight(Record):
    """Where cells of one level look: ``seen`` (n, 2) xy, the centre of their gradient's size, px of the network input.

    ``row`` and ``col`` (n,) of the cells, ``declared`` (n, 2) xy their points as the head declares them; ``stride`` px
    a cell, as declared.
    """

    row: np.ndarray
    col: np.ndarray
    declared: np.ndarray
    seen: np.ndarray
    stride: float

    @property
    def offset(self) -> np.ndarray:
        """(2,) xy in cells: how far from their points the cells look, on average."""
        return (self.seen - self.declared).mean(0) / self.stride

    @cached_property
    def slope(self) -> np.ndarray:
        """(2, 2): px that cells look farther on along x and y (columns), a px that they lie along x and y (rows)."""
        return self._fit[:2]

    @property
    def scatter(self) -> float:
        """How far single cells look beside where the slope says, root mean square, in cells."""
        away = self._terms @ self._fit - self.seen
        return float(np.sqrt(np.mean(away**2)) / self.stride)

    @property
    def straight(self) -> bool:
        """Whether the cells look about as far apart as they lie, along the same axes."""
        return bool(np.abs(self.slope - np.eye(2)).max() < STRAIGHT)

    @property
    def error(self) -> float:
        """The standard error of ``offset``, in cells."""
        return self.scatter / len(self.seen) ** 0.5

    @property
    def _terms(self) -> np.ndarray:
        return np.column_stack((self.declared, np.ones(len(self.declared))))

    @cached_property
    def _fit(self) -> np.ndarray:
        return np.linalg.lstsq(self._terms, self.seen, rcond=None)[0]


def look(view: DifferentiablePass, level: Level, pyramid: Pyramid) -> Sight:
    """The sight of cells spread over one level of a differentiable pass, whose points the pyramid tells."""
    rows, cols = pyramid.shapes[level.index]
    chosen = [(int(up * rows), int(left * cols)) for up in ROWS for left in COLS]
    row, col = np.array(chosen).T
    declared = pyramid.points_at(level.index, row, col)
    maps = (view.gradient(level.index, *cell).double().abs().sum(0).cpu().numpy() for cell in chosen)
    return Sight(
        row=row,
        col=col,
        declared=declared,
        seen=np.array([middle_of(weight, REACH * level.stride) for weight in maps]),
        stride=level.stride,
    )


def average(sights: Sequence[Sight]) -> Sight:
    """Several sights of the same cells, on several images, as one."""
    return replace(sights[0], seen=np.mean([sight.seen for sight in sights], 0))


def middle_of(weight: np.ndarray, reach: float) -> np.ndarray:
    """xy in px of the middle of a map (H, W).

    The mean within a Gaussian window of width ``reach`` that moves to it (mean shift), from the median on: a weak
    background over the whole image, as attention and pooling make it, has no say.
    """
    y, x = (np.arange(size) + 0.5 for size in weight.shape)
    middle = np.array(
        [np.interp(0.5 * line.sum(), line.cumsum(), at) for line, at in ((weight.sum(0), x), (weight.sum(1), y))]
    )
    for _ in range(TURNS):
        across, down = (np.exp(-(((at - start) / reach) ** 2) / 2) for at, start in zip((x, y), middle, strict=True))
        window = down[:, None] * weight * across
        moved = np.array([window.sum(0) @ x, window.sum(1) @ y]) / max(window.sum(), 1e-300)
        done, middle = np.abs(moved - middle).max() < 0.01, moved
        if done:
            break
    return middle
