"""Targets with a few objects, and predictions that depart from them in one known way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..boxes.terms import Held, Term, declared
from ..boxes.writing import Size, at_cells, drawn, grids
from ..layout import TargetLayout

EACH = 4
"""Objects a level and image."""
SIDE = 2.4
"""Strides that objects are wide and high, at most."""


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of one level: ``images`` (n,), ``cells`` (n, 3) anchor, row, column, the boxes as they are held,
    ``labels`` (n,), and the class value ``likely`` (n,) and objectness ``sure`` (n,) of each."""

    images: np.ndarray
    cells: np.ndarray
    held: Held
    labels: np.ndarray
    likely: np.ndarray
    sure: np.ndarray

    def taken(self, kept: np.ndarray) -> "Objects":
        """Those of ``kept`` (n,) bool alone."""
        parts = {name: getattr(self, name)[kept] for name in ("images", "cells", "labels", "likely", "sure")}
        return Objects(**parts, held=self.held.take(kept))


@dataclass(frozen=True, eq=False)
class Truth:
    """Objects of all levels in a batch of images; ``levels()`` are the targets."""

    layout: TargetLayout
    size: Size
    batch: int
    objects: tuple[Objects, ...]

    def levels(self) -> list[np.ndarray]:
        """(B, A, C, H, W) a level: what the layout says."""
        return [level.copy() for level in self._whole]

    @cached_property
    def _whole(self) -> list[np.ndarray]:
        found = self.empty()
        for level, one in enumerate(self.objects):
            self._write(found[level], one, self.values(level), one.likely, one.sure)
        return found

    def empty(self) -> list[np.ndarray]:
        """Levels without objects."""
        found = []
        for shape in grids(self.layout, self.size):
            out = np.zeros((self.batch, self.layout.anchor_count, self.layout.channels, *shape))
            if self.layout.class_values == "ids":
                out[:, :, self.layout.class_channels[0]] = self.layout.background
            found.append(out)
        return found

    def values(self, level: int, layout: TargetLayout | None = None) -> np.ndarray:
        """(n, 4): the box channels of a level's objects, under another layout where one is given."""
        return self._held[level].copy() if layout is None else self.under(level, declared(layout, level))

    @cached_property
    def terms(self) -> list[tuple[Term, ...]]:
        """What the layout declares for the four box channels of each level."""
        return [declared(self.layout, level) for level in range(len(self.objects))]

    @cached_property
    def _held(self) -> list[np.ndarray]:
        return [self.under(level, terms) for level, terms in enumerate(self.terms)]

    def under(self, level: int, terms: Sequence[Term]) -> np.ndarray:
        """(n, 4): the box channels of a level's objects in these terms."""
        held = self.objects[level].held
        return np.stack([term.predict(held, channel) for channel, term in enumerate(terms)], 1)

    def nudged(self, channel: int, strides: float, *, apart: bool = False) -> list[np.ndarray]:
        """Levels in which one of the four box channels is that of boxes moved by so many strides.

        ``apart``: every second object of an image is moved the other way.
        """
        found = self.levels()
        for level, one in enumerate(self.objects):
            values, term = self.values(level), self.terms[level][channel]
            away = strides * one.held.stride
            values[:, channel] = term.predict(one.held, channel, away)
            if apart:
                values[1::2, channel] = term.predict(one.held, channel, -away)[1::2]
            self.put(found[level], one, values)
        return found

    def jointly(self, channels: tuple[int, ...], strides: tuple[float, ...]) -> list[np.ndarray]:
        """Levels in which some of the four box channels are those of boxes moved, each by so many strides."""
        counts = [len(one.labels) for one in self.objects]
        ways = [[np.full(count, away) for count in counts] for away in strides]
        return self.moved(dict(zip(channels, ways, strict=True)))

    def moved(self, ways: Mapping[int, Sequence[np.ndarray]]) -> list[np.ndarray]:
        """Levels in which box channels are those of boxes moved by strides (n,) a level, by channel."""
        found = self.levels()
        for level, one in enumerate(self.objects):
            values = self.values(level)
            for channel, strides in ways.items():
                away = strides[level] * one.held.stride
                values[:, channel] = self.terms[level][channel].predict(one.held, channel, away)
            self.put(found[level], one, values)
        return found

    def with_boxes(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Levels with these box channels (n, 4), a level."""
        found = self.levels()
        for level, one in enumerate(self.objects):
            self.put(found[level], one, values[level])
        return found

    def put(self, level: np.ndarray, one: Objects, values: np.ndarray) -> None:
        """Write box channels into the objects' cells."""
        a, r, c = one.cells.T
        for i, channel in enumerate(self.layout.box):
            level[one.images, a, channel, r, c] = values[:, i]

    def _write(self, level: np.ndarray, one: Objects, values: np.ndarray, likely: np.ndarray, sure: np.ndarray) -> None:
        self.put(level, one, values)
        a, r, c = one.cells.T
        if self.layout.class_values == "ids":
            level[one.images, a, self.layout.class_channels[0], r, c] = one.labels
        else:
            level[one.images, a, np.array(self.layout.class_channels)[one.labels], r, c] = likely
        if self.layout.objectness is not None:
            level[one.images, a, self.layout.objectness, r, c] = sure

    def mask(self, level: int) -> np.ndarray:
        """(B, A, H, W) bool: the cells that hold an object."""
        one = self.objects[level]
        found = np.zeros((self.batch, self.layout.anchor_count, *grids(self.layout, self.size)[level]), bool)
        a, r, c = one.cells.T
        found[one.images, a, r, c] = True
        return found

    def flat(self, side: float = 0.0) -> "Truth":
        """The same with boxes of this width (px), every second of this height too."""
        found = []
        for one in self.objects:
            boxes = one.held.boxes.copy()
            boxes[:, 2] = boxes[:, 0] + side
            boxes[::2, 3] = boxes[::2, 1] + side
            found.append(replace(one, held=replace(one.held, boxes=boxes)))
        return replace(self, objects=tuple(found))

    def only(self, level: int) -> "Truth":
        """The same with the objects of one level alone, in the first image alone."""
        found = []
        for index, one in enumerate(self.objects):
            found.append(one.taken(one.images == (0 if index == level else -1)))
        return replace(self, objects=tuple(found))


def truth(
    layout: TargetLayout,
    size: Size,
    batch: int,
    rng: np.random.Generator,
    *,
    alike: bool = False,
    every: bool = False,
) -> Truth:
    """A few objects in each image, on every level, each in one cell.

    ``alike``: in the same cells in each image; ``every``: of every class, as far as there are cells.
    """
    objects, each = [], max(EACH, layout.class_count) if every else EACH
    for level, (rows, columns) in enumerate(grids(layout, size)):
        places = [rng.permutation(rows * columns)[:each] for _ in range(batch)]
        places = places[:1] * batch if alike else places
        images = np.repeat(np.arange(batch), [len(part) for part in places])
        row, column = np.divmod(np.concatenate(places), columns)
        anchors = rng.integers(0, layout.anchor_count, len(row))
        anchors = np.tile(anchors[: len(places[0])], batch) if alike else anchors
        cells = np.stack((anchors, row, column), 1)
        boxes = drawn(layout, level, cells, SIDE * rng.uniform(0.7, 1.0, len(cells)), rng)
        soft, binary = layout.class_values == "soft", layout.objectness_values == "binary"
        count = len(cells)
        objects.append(
            Objects(
                images=images,
                cells=cells,
                held=at_cells(layout, level, size, boxes, cells),
                labels=np.arange(count) % layout.class_count if every else rng.integers(0, layout.class_count, count),
                likely=rng.uniform(0.6, 0.95, count) if soft else np.ones(count),
                sure=np.ones(count) if binary else rng.uniform(0.6, 0.95, count),
            )
        )
    return Truth(layout, size, batch, tuple(objects))
