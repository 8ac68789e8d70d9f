"""Encoders without priors: YOLOv8 (TOOD, arXiv 2108.07755), YOLOX (2107.08430), NanoDet-Plus,
RTMDet (2212.07784)."""

import numpy as np

from .base import Claims, Encoder
from .geometry import TINY, areas, centres, distances, half_trained, overlaps, sides


class PointEncoder(Encoder):
    """Every cell is a point, and points ask which object they answer for."""

    objectness: int | None = None
    class_channels = tuple(range(4, 10))

    def all_points(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Points (N, 2) px of all levels, their level, and their number within it."""
        made = [self.points(i, shape).reshape(-1, 2) for i, shape in enumerate(self.shapes(size))]
        level = np.repeat(np.arange(len(made)), [len(part) for part in made])
        inner = np.concatenate([np.arange(len(part)) for part in made])
        return np.concatenate(made), level, inner

    def claimed(self, wanted: np.ndarray, level: np.ndarray, inner: np.ndarray, size, score=None) -> Claims:
        """The claims of a mask (points, objects)."""
        point, thing = np.nonzero(wanted)
        width = np.array([shape[1] for shape in self.shapes(size)])[level[point]]
        row, col = np.divmod(inner[point], width)
        return Claims.of(level[point], row, col, 0, thing, 1.0 if score is None else score[point, thing])

    def spans(self, level: np.ndarray) -> np.ndarray:
        """(N,) px: the step of each point's level."""
        return np.array([self.step(i) for i in range(len(self.strides))], float)[level]

    def rank(self, claims, boxes):
        return areas(boxes)[claims.thing]


class YOLOv8(PointEncoder):
    """Task-aligned: the ten best points inside the box, by score and overlap of a half-trained network."""

    name = "yolov8"
    form, unit = "xyxy", "stride"
    class_values, axes = "soft", "BNC"

    def claims(self, boxes, labels, size):
        points, level, inner = self.all_points(size)
        guess, sure = half_trained(points, self.spans(level), boxes)
        hit = overlaps(guess, boxes)
        inside = distances(points, boxes).min(2) > 1e-9
        metric = np.where(inside, np.sqrt(sure)[:, None] * hit**6, 0.0)
        last = -np.sort(-metric, 0)[min(9, len(points) - 1)]
        wanted = inside & (metric >= last) & (metric > 0)
        most = np.where(wanted, metric, 0).max(0)
        score = (metric / most.clip(1e-12) * np.where(wanted, hit, 0).max(0)).clip(0.02, 1)
        return self.claimed(wanted, level, inner, size, score)

    def rank(self, claims, boxes):
        return -claims.score

    def values(self, boxes, points, stride, size, priors):
        return boxes / stride


class YOLOX(PointEncoder):
    """Centre sampling: points less than two and a half strides from the centre, on every level."""

    name = "yolox"
    objectness, class_channels = 4, tuple(range(5, 11))
    unit, relative, grid_offset, size_function = "stride", True, 0.0, "log"

    def claims(self, boxes, labels, size):
        points, level, inner = self.all_points(size)
        middle = points + (0.5 - self.grid_offset) * self.spans(level)[:, None]
        away = np.abs(middle[:, None] - centres(boxes)[None]).max(2)
        return self.claimed(away < 2.5 * self.spans(level)[:, None], level, inner, size)

    def values(self, boxes, points, stride, size, priors):
        extent = np.log(sides(boxes).clip(TINY) / stride)
        return np.concatenate(((centres(boxes) - points) / stride, extent), 1)


class SimOTA(PointEncoder):
    """YOLOX half trained: for each object as many points as its overlaps add up to, those of least cost."""

    name = "yolox, simota"
    objectness, class_channels = 4, tuple(range(5, 11))
    class_values, axes, as_torch = "soft", "BNC", False

    def claims(self, boxes, labels, size):
        points, level, inner = self.all_points(size)
        guess, sure = half_trained(points, self.spans(level), boxes)
        hit = overlaps(guess, boxes)
        away = np.abs(points[:, None] - centres(boxes)[None]).max(2)
        near = away < 2.5 * self.spans(level)[:, None]
        inside = distances(points, boxes).min(2) > 0
        cost = -3 * np.log(hit.clip(1e-8)) - np.log(sure.clip(1e-8))[:, None] + 1e5 * ~(near & inside)
        wanted = np.zeros_like(near)
        for thing in range(len(boxes)):
            possible = np.nonzero(near[:, thing] | inside[:, thing])[0]
            if not len(possible):
                continue
            count = max(1, int(np.sort(hit[possible, thing])[-10:].sum()))
            wanted[possible[np.argsort(cost[possible, thing], kind="stable")[:count]], thing] = True
        return self.claimed(wanted, level, inner, size, hit.clip(0.05, 1))

    def rank(self, claims, boxes):
        return -claims.score

    def values(self, boxes, points, stride, size, priors):
        return np.concatenate((centres(boxes), sides(boxes)), 1)


class NanoDetPlus(PointEncoder):
    """Dynamic soft labels: points inside, by cost of a half-trained network; points at the corners of cells."""

    name = "nanodet-plus"
    strides, grid_offset = (8, 16, 32, 64), 0.0
    form, unit, class_values, axes = "ltrb", "stride", "soft", "NC"
    TOP, PRIOR = 13, 3.0

    def claims(self, boxes, labels, size):
        points, level, inner = self.all_points(size)
        spans = self.spans(level)
        guess, sure = half_trained(points, spans, boxes)
        hit = overlaps(guess, boxes)
        inside = distances(points, boxes).min(2) > 0
        away = np.sqrt(((points[:, None] - centres(boxes)[None]) ** 2).sum(2)) / spans[:, None]
        cost = -3 * np.log(hit.clip(1e-7)) + (hit - sure[:, None]) ** 2 + 10.0 ** (away - self.PRIOR).clip(-9, 6)
        cost = np.where(inside, cost, np.inf)
        wanted = np.zeros_like(inside)
        for thing in np.nonzero(inside.any(0))[0]:
            mine = np.nonzero(inside[:, thing])[0]
            count = max(1, int(np.sort(hit[mine, thing])[-self.TOP :].sum()))
            wanted[mine[np.argsort(cost[mine, thing], kind="stable")[:count]], thing] = True
        return self.claimed(wanted, level, inner, size, hit.clip(0.05, 1))

    def rank(self, claims, boxes):
        return -claims.score

    def values(self, boxes, points, stride, size, priors):
        return np.concatenate((points - boxes[:, :2], boxes[:, 2:] - points), 1) / stride


class RTMDet(NanoDetPlus):
    """The same assigner on three levels, corners of boxes in px."""

    name = "rtmdet"
    strides, form, unit, axes = (8, 16, 32), "xyxy", "px", "BCHW"

    def values(self, boxes, points, stride, size, priors):
        return boxes
