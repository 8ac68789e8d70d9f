"""What all target encoders of the suite do one after another; each step is a method that a scheme or a fault changes.

Inside, a level is an array (A, h, w, C): anchors of a cell, rows, columns, channels of one anchor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from .arrangement import arrange


@dataclass(frozen=True)
class Claims:
    """Which object wants which place: equally long arrays of indices; ``score`` in [0, 1] is its soft label."""

    level: np.ndarray
    row: np.ndarray
    col: np.ndarray
    anchor: np.ndarray
    thing: np.ndarray
    score: np.ndarray

    @classmethod
    def of(cls, level: Any, row: Any, col: Any, anchor: Any, thing: Any, score: Any = 1.0) -> "Claims":
        """Of numbers and arrays that broadcast to one another."""
        parts = np.broadcast_arrays(level, row, col, anchor, thing, score)
        flat = [np.array(part).reshape(-1) for part in parts]
        return cls(*(part.astype(np.int64) for part in flat[:5]), flat[5].astype(float))

    @classmethod
    def join(cls, parts: Sequence["Claims"]) -> "Claims":
        """All of them, in their order."""
        if not parts:
            return cls.of([], [], [], [], [])
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def at(self, index: np.ndarray) -> "Claims":
        """Some of them, by mask or index."""
        return Claims(*(getattr(self, field.name)[index] for field in fields(self)))


class Encoder:
    """A target encoder: ``encode(boxes (n, 4) xyxy px, labels (n,), (height, width))``."""

    name = ""
    strides: tuple[int, ...] = (8, 16, 32)
    classes = 6
    priors: tuple[tuple[tuple[float, float], ...], ...] | None = None  # per level, (w, h) px
    box: tuple[int, int, int, int] = (0, 1, 2, 3)
    objectness: int | None = 4
    class_channels: tuple[int, ...] = tuple(range(5, 11))
    grid_offset = 0.5
    form, unit, relative = "cxcywh", "px", False
    size_unit: str | None = None
    size_function = "identity"
    class_values, objectness_values = "one_hot", "binary"
    background, ignore = 0.0, None
    axes = "CHW"
    as_torch = True

    def layout(self, make: Callable) -> Any:
        """The declaration of these targets, by ``make``: the doctor's TargetLayout, or what stands in for it."""
        return make(
            box=self.box,
            format=self.form,
            unit=self.unit,
            relative=self.relative,
            objectness=self.objectness,
            classes=self.class_channels,
            strides=self.strides,
            grid_offset=self.grid_offset,
            size_unit=self.size_unit,
            size_function=self.size_function,
            anchors=self.priors,
            axes=self.axes,
            class_values=self.class_values,
            background=self.background,
            ignore=self.ignore,
            objectness_values=self.objectness_values,
            num_classes=self.classes,
        )

    def __call__(self, boxes: Any, labels: Any, image_size: tuple[int, int]) -> Any:
        boxes, labels, size = self.read(boxes, labels, image_size)
        levels = [self.blank(shape) for shape in self.shapes(size)]
        if len(boxes):
            claims = self.settle(self.claims(boxes, labels, size), boxes)
            self.fill(levels, claims, boxes, labels, size)
        return self.store(levels)

    def encode(self, boxes: Any, labels: Any, image_size: tuple[int, int]) -> Any:
        return self(boxes, labels, image_size)

    def read(self, boxes: Any, labels: Any, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
        made = np.asarray(boxes).astype(float).reshape(-1, 4)  # a copy
        return made, np.asarray(labels).astype(np.int64).reshape(-1), size

    def shapes(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        return [(size[0] // stride, size[1] // stride) for stride in self.strides]

    def step(self, level: int) -> float:
        """px from cell to cell, as the encoder believes."""
        return self.strides[level]

    def points(self, level: int, shape: tuple[int, int]) -> np.ndarray:
        """(h, w, 2) xy px: the anchor points."""
        y, x = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
        return (np.stack((x, y), -1) + self.grid_offset) * self.step(level)

    def level_priors(self, level: int) -> np.ndarray:
        """(A, 2) px."""
        return np.array(self.priors[level] if self.priors else [(1.0, 1.0)])

    def claims(self, boxes: np.ndarray, labels: np.ndarray, size: tuple[int, int]) -> Claims:
        raise NotImplementedError

    def rank(self, claims: Claims, boxes: np.ndarray) -> np.ndarray:
        """(k,): of several claims to one place the lowest wins; the last object, unless a scheme says otherwise."""
        return -claims.thing

    def settle(self, claims: Claims, boxes: np.ndarray) -> Claims:
        """One object a place."""
        order = np.argsort(self.rank(claims, boxes), kind="stable")
        ranked = claims.at(order)
        place = np.stack((ranked.level, ranked.row, ranked.col, ranked.anchor), 1)
        return ranked.at(np.unique(place, axis=0, return_index=True)[1])

    def fill(self, levels: list[np.ndarray], claims: Claims, boxes: Any, labels: Any, size: tuple[int, int]) -> None:
        for index, level in enumerate(levels):
            mine = claims.at(claims.level == index)
            if len(mine.row):
                self.fill_level(index, level, mine, boxes, labels, size)

    def fill_level(
        self, index: int, level: np.ndarray, mine: Claims, boxes: np.ndarray, labels: np.ndarray, size: tuple[int, int]
    ) -> None:
        points = self.points(index, level.shape[1:3])[mine.row, mine.col]
        priors = self.level_priors(index)[mine.anchor]
        values = self.values(boxes[mine.thing], points, self.step(index), size, priors)
        anchor, row, col = self.where(index, mine, level.shape[1:3])
        for channel, column in zip(self.box, values.T, strict=True):
            level[anchor, row, col, channel] = column
        self.mark(level, (anchor, row, col), labels[mine.thing], mine.score, values)

    def where(self, index: int, mine: Claims, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Anchor, row and column that are written."""
        return mine.anchor, mine.row, mine.col

    def values(self, boxes: np.ndarray, points: np.ndarray, stride: float, size: Any, priors: np.ndarray) -> np.ndarray:
        """(k, 4): what stands in the box channels."""
        raise NotImplementedError

    def mark(self, level: np.ndarray, at: tuple, labels: np.ndarray, score: np.ndarray, values: np.ndarray) -> None:
        """Objectness and classes of the places ``at``."""
        if self.objectness is not None:
            level[(*at, self.objectness)] = self.presence(score, values)
        if self.class_values == "ids":
            level[(*at, self.class_channels[0])] = labels
        else:
            for channel in self.class_channels:
                level[(*at, channel)] = 0
            level[(*at, np.array(self.class_channels)[labels])] = score

    def presence(self, score: np.ndarray, values: np.ndarray) -> Any:
        return 1.0

    def blank(self, shape: tuple[int, int]) -> np.ndarray:
        used = [*self.box, *self.class_channels, -1 if self.objectness is None else self.objectness]
        anchors = len(self.priors[0]) if self.priors else 1
        level = np.zeros((anchors, *shape, max(used) + 1))
        if self.class_values == "ids":
            level[..., self.class_channels[0]] = self.background
        return level

    def store(self, levels: list[np.ndarray]) -> Any:
        """As the scheme's code keeps them: a list a level, or one array for "NC"."""
        made = [arrange(level, self.axes.removeprefix("B")) for level in levels]
        if self.axes in ("NC", "BNC"):
            made = [np.concatenate(made)]
        if self.axes.startswith("B"):
            made = [part[None] for part in made]
        made = [np.ascontiguousarray(part, dtype=np.float32) for part in made]
        if self.as_torch:
            made = [torch.from_numpy(part) for part in made]
        return made[0] if self.axes in ("NC", "BNC") else made
