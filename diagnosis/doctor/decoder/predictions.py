"""Predictions of which all is known, and outputs that hold them among cells without objects."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..boxes.terms import declared
from ..boxes.writing import Size, at_cells, channels, drawn, every_cell, grids
from ..layout import TargetLayout
from .asking import Asker

LOW, HIGHEST, LOWEST = 0.002, 0.99, 0.8
SIDES = (0.7, 1.5, 2.2, 3.5, 5.0, 8.0, 11.0, 18.0, 26.0)
SMALL = (0.6, 0.9, 1.5, 2.5)
SMALLER = 0.1
"""Strides by which a channel is made smaller."""
MOST = 10
"""Predictions in an image at once."""


@dataclass(frozen=True, eq=False)
class Given:
    """n predictions on one level: ``images`` (n,), ``cells`` (n, 3) anchor, row, column, ``boxes`` (n, 4) xyxy px.

    ``labels`` (n,), and ``scores`` (n,), a different one for each of an image, by which it is known again.
    """

    level: int
    images: np.ndarray
    cells: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    def take(self, index: np.ndarray) -> "Given":
        """Those of a mask or of indices."""
        parts = {name: getattr(self, name)[index] for name in ("images", "cells", "boxes", "labels", "scores")}
        return replace(self, **parts)


def background(layout: TargetLayout, size: Size, batch: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Levels (B, A, C, H, W) without objects, with a random sensible box in every cell."""
    found = []
    for level, (rows, columns) in enumerate(grids(layout, size)):
        cells = every_cell(layout, level, size)
        out = np.full((batch, layout.anchor_count, layout.channels, rows, columns), LOW)
        if layout.class_values == "ids":
            out[:, :, layout.class_channels[0]] = layout.background
        for image in range(batch):
            values = channels(layout, level, size, drawn(layout, level, cells, 0.9, rng), cells)
            out[image][:, list(layout.box)] = np.moveaxis(values.T.reshape(4, -1, rows, columns), 0, 1)
        found.append(out)
    return found


def laid(layout: TargetLayout, size: Size, noise: Sequence[np.ndarray], given: Given) -> list[np.ndarray]:
    """The outputs with these predictions in them."""
    found = list(noise)
    level = found[given.level] = noise[given.level].copy()
    values = channels(layout, given.level, size, given.boxes, given.cells)
    a, r, c = given.cells.T
    for i, channel in enumerate(layout.box):
        level[given.images, a, channel, r, c] = values[:, i]
    score = given.scores if layout.objectness is None else np.sqrt(given.scores)
    if layout.class_values == "ids":
        level[given.images, a, layout.class_channels[0], r, c] = given.labels
    else:
        level[given.images, a, np.array(layout.class_channels)[given.labels], r, c] = score
    if layout.objectness is not None:
        level[given.images, a, layout.objectness, r, c] = given.scores if layout.class_values == "ids" else score
    return found


def predictions(
    layout: TargetLayout, size: Size, level: int, batch: int, rng: np.random.Generator, sides: Sequence[float] = SIDES
) -> Given:
    """Up to ``MOST`` predictions of different sides in each image, that hardly overlap."""
    rows, columns = grids(layout, size)[level]
    fitting = [side for side in sides if side * layout.strides[level] <= 0.9 * min(size)] or list(sides[:1])
    parts: list[Given] = []
    for image in range(batch):
        cells = np.stack([rng.integers(0, count, 8 * MOST) for count in (layout.anchor_count, rows, columns)], 1)
        chosen = np.array(sorted(rng.choice(fitting, len(cells)), reverse=True))
        chosen[::3] = rng.choice(fitting, len(chosen[::3]))
        boxes = drawn(layout, level, cells, chosen, rng)
        kept = _apart(boxes, cells, layout.strides[level])
        count = len(kept)
        scores = np.linspace(HIGHEST, LOWEST, MOST)[:count]
        labels = rng.integers(0, layout.class_count, count)
        parts.append(Given(level, np.full(count, image), cells[kept], boxes[kept], labels, scores))
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("images", "cells", "boxes", "labels", "scores")
    }
    return Given(level, **joined)


def _apart(boxes: np.ndarray, cells: np.ndarray, stride: float) -> list[int]:
    """Indices of boxes that overlap no earlier one by much, their cells neither."""
    kept: list[int] = []
    for i, box in enumerate(boxes):
        others, spots = boxes[kept], cells[kept]
        low, high = np.maximum(others[:, :2], box[:2]), np.minimum(others[:, 2:], box[2:])
        shared = (high - low).clip(0).prod(1)
        areas = (others[:, 2:] - others[:, :2]).prod(1) + (box[2:] - box[:2]).prod() - shared
        if (shared < 0.1 * areas).all() and (np.abs(spots[:, 1:] - cells[i, 1:]).max(1) > 1).all():
            kept.append(i)
        if len(kept) == MOST:
            break
    return kept


def expressible(asker: Asker, size: Size, noise: Sequence[np.ndarray], given: Given) -> Given:
    """The predictions that the network's raw outputs can say: those in which each channel, made smaller, says another.

    All of them where none can be said, or where the outputs are not stored as the layout says.
    """
    if asker.prepare is None:
        return given
    layout, held = asker.layout, at_cells(asker.layout, given.level, size, given.boxes, given.cells)
    plain = asker.levels(laid(layout, size, noise, given))
    if plain is None:
        return given
    a, r, c = given.cells.T
    said = np.ones(len(given.boxes), bool)
    for slot, (channel, term) in enumerate(zip(layout.box, declared(layout, given.level), strict=True)):
        outputs = laid(layout, size, noise, given)
        outputs[given.level][given.images, a, channel, r, c] = term.predict(held, slot, -SMALLER * held.stride)
        other = asker.levels(outputs)
        if other is not None:
            said &= (plain[given.level] != other[given.level])[given.images, a, :, r, c].any(1)
    return given.take(said) if said.any() else given
