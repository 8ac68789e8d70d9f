"""YOLO with anchors: v1 (arXiv 1506.02640), v2 (1612.08242), v3 (1804.02767), v4 (2004.10934), v5, v7 (2207.02696)."""

from typing import Any

import numpy as np

from .base import Claims, Encoder
from .geometry import TINY, areas, centres, half_trained, overlaps, shape_overlaps, sides

COCO_ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
VOC_ANCHORS = ((42, 55), (102, 130), (162, 259), (303, 155), (360, 320))


class CellEncoder(Encoder):
    """The cell that holds an object's centre answers for it."""

    grid_offset = 0.0
    unit, relative = "stride", True

    def cell(self, level: int, centre: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of centres (n, 2) px; those beyond the image count to its last cells."""
        place = np.floor(centre / self.step(level)).astype(np.int64)
        return place[:, 1].clip(0, shape[0] - 1), place[:, 0].clip(0, shape[1] - 1)


class YOLOv1(CellEncoder):
    """One level of 64 px, square roots of normalised sizes; the first object keeps its cell."""

    name = "yolov1"
    strides, classes, class_channels = (64,), 8, tuple(range(8))
    objectness, box = 8, (9, 10, 11, 12)
    size_unit, size_function = "normalized", "sqrt"
    axes, as_torch = "HWC", False

    def claims(self, boxes, labels, size):
        row, col = self.cell(0, centres(boxes), self.shapes(size)[0])
        return Claims.of(0, row, col, 0, np.arange(len(boxes)))

    def rank(self, claims, boxes):
        return claims.thing

    def values(self, boxes, points, stride, size, priors):
        extent = sides(boxes).clip(0) / (size[1], size[0])
        return np.concatenate(((centres(boxes) - points) / stride, np.sqrt(extent)), 1)


class PriorEncoder(CellEncoder):
    """Offsets in the cell, and logarithms of sizes against the prior's."""

    size_unit, size_function = "prior", "log"

    def values(self, boxes, points, stride, size, priors):
        extent = np.log(sides(boxes).clip(TINY) / priors)
        return np.concatenate(((centres(boxes) - points) / stride, extent), 1)


class YOLOv2(PriorEncoder):
    """One level of 32 px, five priors a cell, the one of the likest shape; objects off the image are dropped."""

    name = "yolov2"
    strides, priors = (32,), (VOC_ANCHORS,)
    axes, as_torch = "HWAC", False

    def claims(self, boxes, labels, size):
        anchor = shape_overlaps(sides(boxes), self.level_priors(0)).argmax(1)
        row, col = self.cell(0, centres(boxes), self.shapes(size)[0])
        inside = ((centres(boxes) >= 0) & (centres(boxes) < (size[1], size[0]))).all(1)
        return Claims.of(0, row, col, anchor, np.arange(len(boxes))).at(inside)


class YOLOv3(CellEncoder):
    """The best of nine priors decides on the level; boxes are kept as shares of the image, as Keras code does."""

    name = "yolov3"
    priors, unit, relative = COCO_ANCHORS, "normalized", False
    axes, as_torch = "BHWAC", False

    def claims(self, boxes, labels, size):
        priors = np.concatenate([self.level_priors(level) for level in range(3)])
        level, anchor = np.divmod(shape_overlaps(sides(boxes), priors).argmax(1), 3)
        found = []
        for index, shape in enumerate(self.shapes(size)):
            row, col = self.cell(index, centres(boxes), shape)
            found.append(Claims.of(index, row, col, anchor, np.arange(len(boxes))).at(level == index))
        return Claims.join(found)

    def values(self, boxes, points, stride, size, priors):
        whole = np.array([size[1], size[0]])
        return np.concatenate((centres(boxes) / whole, sides(boxes) / whole), 1)


class YOLOv3EveryScale(PriorEncoder):
    """Each scale takes every object, with the best of its own three priors."""

    name = "yolov3, every scale"
    priors, axes = COCO_ANCHORS, "BACHW"

    def chosen(self, level: int, extent: np.ndarray) -> np.ndarray:
        """(n, 3): which priors of a level answer for objects of these sizes."""
        likeness = shape_overlaps(extent, self.level_priors(level))
        return np.eye(3, dtype=bool)[likeness.argmax(1)]

    def claims(self, boxes, labels, size):
        found = []
        for index, shape in enumerate(self.shapes(size)):
            row, col = self.cell(index, centres(boxes), shape)
            thing, anchor = np.nonzero(self.chosen(index, sides(boxes)))
            found.append(Claims.of(index, row[thing], col[thing], anchor, thing))
        return Claims.join(found)


class YOLOv4(YOLOv3EveryScale):
    """All priors above a threshold of likeness, and the best of nine in any case; centres off the image are dropped."""

    name, axes = "yolov4", "AC,H,W"

    def chosen(self, level, extent):
        priors = np.concatenate([self.level_priors(i) for i in range(3)])
        likeness = shape_overlaps(extent, priors)
        taken = (likeness > 0.3) | (likeness >= likeness.max(1, keepdims=True))
        return taken[:, 3 * level : 3 * level + 3]

    def claims(self, boxes, labels, size):
        found = super().claims(boxes, labels, size)
        inside = ((centres(boxes) >= 0) & (centres(boxes) < (size[1], size[0]))).all(1)
        return found.at(inside[found.thing])


class YOLOv5(CellEncoder):
    """Priors within a factor of four, the cell and its two nearest neighbours; offsets from the cell written."""

    name = "yolov5"
    priors, axes = COCO_ANCHORS, "AHWC"
    NEIGHBOURS = ((0, 0), (-1, 0), (0, -1), (1, 0), (0, 1))  # x, y

    def chosen(self, level: int, extent: np.ndarray) -> np.ndarray:
        """(n, 3): priors whose sides differ by less than a factor of four."""
        ratio = extent.clip(TINY)[:, None] / self.level_priors(level)[None]
        return np.maximum(ratio, 1 / ratio).max(2) < 4

    def claims(self, boxes, labels, size):
        found = []
        for index, shape in enumerate(self.shapes(size)):
            row, col = self.cell(index, centres(boxes), shape)
            thing, anchor = np.nonzero(self.chosen(index, sides(boxes)))
            for dx, dy in self.NEIGHBOURS:
                near = self.near(centres(boxes) / self.step(index), dx, dy)[thing]
                r, c = (row + dy)[thing][near], (col + dx)[thing][near]
                part = Claims.of(index, r, c, anchor[near], thing[near])
                found.append(part.at(self.on_grid(r, c, shape)))
        return Claims.join(found)

    @staticmethod
    def on_grid(row: np.ndarray, col: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """(n,): which of these cells there are."""
        return (row >= 0) & (row < shape[0]) & (col >= 0) & (col < shape[1])

    @staticmethod
    def near(place: np.ndarray, dx: int, dy: int) -> np.ndarray:
        """(n,): whether a neighbour in this direction is the nearer one; always for the cell itself."""
        inside = place - np.floor(place)
        x = {0: True, -1: inside[:, 0] < 0.5, 1: inside[:, 0] > 0.5}[dx]
        y = {0: True, -1: inside[:, 1] < 0.5, 1: inside[:, 1] > 0.5}[dy]
        return np.broadcast_to(x, len(place)) & np.broadcast_to(y, len(place))

    def values(self, boxes, points, stride, size, priors):
        return np.concatenate(((centres(boxes) - points) / stride, sides(boxes) / stride), 1)


class YOLOv7(YOLOv5):
    """The places of YOLOv5, of which as many as a half-trained network already hits well are kept."""

    name, axes = "yolov7", "BAHWC"

    def claims(self, boxes, labels, size):
        every = super().claims(boxes, labels, size)
        stride = np.array(self.strides, float)[every.level]
        points = (np.stack((every.col, every.row), 1) + 0.5) * stride[:, None] + every.anchor[:, None]
        guess, sure = half_trained(points, stride, boxes)
        quality = np.diagonal(overlaps(guess, boxes[every.thing])) if len(guess) else np.zeros(0)
        cost = -np.log(quality.clip(1e-6)) - 0.3 * np.log(sure.clip(1e-6))
        kept: list[Any] = []
        for thing in np.unique(every.thing):
            mine = np.nonzero(every.thing == thing)[0]
            count = max(1, int(np.sort(quality[mine])[-10:].sum()))
            kept.extend(mine[np.argsort(cost[mine], kind="stable")[:count]])
        return every.at(np.array(kept, dtype=np.int64))

    def rank(self, claims, boxes):
        return areas(boxes)[claims.thing]
