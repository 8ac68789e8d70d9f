"""What terms of one channel may speak of: points of cells and lengths, as arrays over the cells of a level."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .held import PLACES, QUANTITIES, Held, axis_of
from .points import GRIDS, Reference, Unit
from .terms import SLACK

OFFSETS = (0.0, 0.5, 1.0, -0.5, 1.5, -1.0)
FIXED = (100.0, 640.0, 1000.0, 512.0, 256.0, 416.0)


def references(held: Held) -> list[Reference]:
    """Points of cells that a place may be counted from."""
    pitches = sorted({held.stride, *held.strides, held.stride / 2, held.stride * 2}, key=lambda p: p != held.stride)
    moved = bool((held.meant != held.here).any())
    cells = ("here", "meant", "crossed") if moved else ("here", "crossed")
    found = [Reference(cell, offset, pitch) for pitch in pitches for cell in cells for offset in OFFSETS]
    return found + [Reference(grid, offset, held.stride) for grid in GRIDS for offset in (0.0, 0.5)]


def units(held: Held) -> list[Unit]:
    """Lengths that one unit may be."""
    strides = dict.fromkeys((held.stride, *held.strides, held.stride / 2, held.stride * 2))
    found = [Unit("px"), *(Unit("stride", stride) for stride in strides)]
    found += [Unit(name) for name in ("width", "height", "longer side", "width squared", "height squared")]
    if held.others:
        s = held.stride
        found += [Unit(f"prior {side}", factor) for side in ("width", "height") for factor in (1.0, 1 / s, s, 0.5, 2.0)]
        found += [Unit(name) for name in held.others]
    return found + [Unit("fixed", length) for length in FIXED]


@dataclass(frozen=True, eq=False)
class Grammar:
    """Points and units at the n cells of ``held``, whatever its channels hold.

    ``points``, ``at`` (2, p, n) their px along x and y; ``units``, ``divided`` (u, n) their px.
    """

    held: Held
    points: tuple[Reference, ...]
    at: np.ndarray
    units: tuple[Unit, ...]
    divided: np.ndarray

    @cached_property
    def apart(self) -> np.ndarray:
        """(6, p, n) px: places less points."""
        return np.stack([self.held.quantity(name) - self.at[axis_of(name)] for name in PLACES])

    @cached_property
    def counted(self) -> tuple[np.ndarray, np.ndarray]:
        """(8, u, n): all quantities in all units, and the same of quantities that are a little greater."""
        known = np.stack([self.held.quantity(name) for name in QUANTITIES])[:, None]
        with np.errstate(all="ignore"):
            return known / self.divided, (known + SLACK) / self.divided

    @cached_property
    def outer(self) -> tuple[Reference | None, ...]:
        """Points upon which an offset in a cell may stand: none, and those of cells of the level's own stride."""
        return None, *(p for p in self.points if p.pitch == self.held.stride and p.offset in OFFSETS)

    @cached_property
    def inner(self) -> tuple[Reference | None, ...]:
        """Points from which an offset may be counted."""
        return tuple(p for p in self.outer if p is None or (p.cell in ("here", "meant") and p.offset in (0.0, 0.5)))

    @cached_property
    def after(self) -> tuple[np.ndarray, np.ndarray]:
        """(p, n) px of the outer points, along x and along y."""
        return self._px(self.outer, 0), self._px(self.outer, 1)

    @cached_property
    def before(self) -> tuple[np.ndarray, np.ndarray]:
        """(p, n) px of the inner points, along x and along y."""
        return self._px(self.inner, 0), self._px(self.inner, 1)

    @cached_property
    def lengths(self) -> tuple[Unit, ...]:
        """Units in which an offset upon a point may stand."""
        found = (Unit("px"), Unit("stride", self.held.stride), Unit("width"), Unit("height"))
        return (*found, Unit("prior width"), Unit("prior height")) if self.held.others else found

    @cached_property
    def upon(self) -> np.ndarray:
        """(u, n) px of ``lengths``."""
        return np.stack([unit.length(self.held) for unit in self.lengths])

    def _px(self, points: tuple[Reference | None, ...], axis: int) -> np.ndarray:
        known = dict(zip(self.points, self.at[axis], strict=True))
        return np.stack([np.zeros(len(self.held)) if point is None else known[point] for point in points])


def grammar(held: Held) -> Grammar:
    """All points and units at the cells of ``held``."""
    points, lengths = references(held), units(held)
    return Grammar(
        held=held,
        points=tuple(points),
        at=np.stack([np.stack([point.point(held, axis) for point in points]) for axis in (0, 1)]),
        units=tuple(lengths),
        divided=np.stack([unit.length(held) for unit in lengths]),
    )
