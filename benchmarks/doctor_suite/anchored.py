"""Matching against every anchor: RetinaNet (arXiv 1708.02002), EfficientDet (1911.09070), ATSS (1912.02424),
NanoDet (ATSS on points), YOLOF (2103.09460)."""

import numpy as np

from .base import Claims
from .free import PointEncoder
from .geometry import TINY, around, centres, distances, overlaps, sides


def octaves(strides: tuple[int, ...], scale: float = 4.0) -> tuple:
    """Nine priors a level: three scales of an octave by three shapes."""
    found = []
    for stride in strides:
        mine = []
        for octave in range(3):
            for ratio in (0.5, 1.0, 2.0):
                side = scale * stride * 2 ** (octave / 3)
                mine.append((side / ratio**0.5, side * ratio**0.5))
        found.append(tuple(mine))
    return tuple(found)


class AnchorEncoder(PointEncoder):
    """Anchors of all levels in one row: level by level, row by row, column by column, priors last."""

    form, unit, relative, size_function = "cxcywh", "prior", True, "log"

    def all_anchors(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) px, and (N, 4) level, row, column, prior; made once an image size."""
        self.known = getattr(self, "known", {})
        key = tuple(size)
        if key not in self.known:
            self.known[key] = self.make_anchors(size)
        return self.known[key]

    def make_anchors(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        boxes, places = [], []
        for index, shape in enumerate(self.shapes(size)):
            priors = self.level_priors(index)
            points = np.repeat(self.points(index, shape).reshape(-1, 2), len(priors), 0)
            boxes.append(around(points, np.tile(priors, (shape[0] * shape[1], 1))))
            row, col, prior = (part.reshape(-1) for part in np.indices((*shape, len(priors))))
            places.append(np.stack((np.full_like(row, index), row, col, prior), 1))
        return np.concatenate(boxes), np.concatenate(places)

    def values(self, boxes, points, stride, size, priors):
        return np.concatenate(((centres(boxes) - points) / priors, np.log(sides(boxes).clip(TINY) / priors)), 1)


class RetinaNet(AnchorEncoder):
    """IoU from 0.5 up, ignored from 0.4; the best anchors of each object are forced, ties all. State in a column."""

    name = "retinanet"
    strides = (8, 16, 32, 64, 128)
    priors = octaves(strides)
    objectness, class_channels = 10, tuple(range(4, 10))
    axes, as_torch, ignore = "NC", False, -1.0
    HIGH, LOW = 0.5, 0.4

    def claims(self, boxes, labels, size):
        anchors, places = self.all_anchors(size)
        hit = overlaps(anchors, boxes)
        best = hit.max(1)
        owner = hit.argmax(1)
        forced, thing = np.nonzero((hit >= hit.max(0) - 1e-9) & (hit > 0))
        owner[forced] = thing
        taken = best >= self.HIGH
        taken[forced] = True
        self.doubtful = places[(best >= self.LOW) & ~taken]
        return Claims.of(*places[taken].T, owner[taken])

    def fill(self, levels, claims, boxes, labels, size):
        for index, level in enumerate(levels):
            row, col, prior = self.doubtful[self.doubtful[:, 0] == index, 1:].T
            for channel, value in self.unasked().items():
                level[prior, row, col, channel] = value
        super().fill(levels, claims, boxes, labels, size)

    def unasked(self) -> dict[int, float]:
        """What the channels of an anchor hold that is not asked."""
        return dict.fromkeys((*self.class_channels, self.objectness), self.ignore)


class EfficientDet(RetinaNet):
    """The same anchors and matching; y before x, class numbers with -1 for nothing and -2 for not asked."""

    name = "efficientdet"
    box, objectness, class_channels = (1, 0, 3, 2), None, (4,)
    class_values, background, ignore = "ids", -1.0, -2.0
    axes, as_torch = "HWAC", True

    def unasked(self):
        return {self.class_channels[0]: self.ignore}


class ATSS(AnchorEncoder):
    """Nine nearest anchors a level; those above mean plus deviation of their overlaps, centres inside the object."""

    name = "atss"
    strides = (8, 16, 32, 64, 128)
    priors = tuple(((8.0 * stride, 8.0 * stride),) for stride in strides)
    class_channels: tuple[int, ...] = (4,)
    class_values, background, axes = "ids", 6.0, "NC"
    NEAREST = 9

    def claims(self, boxes, labels, size):
        anchors, places = self.all_anchors(size)
        hit = overlaps(anchors, boxes)
        away = ((centres(anchors)[:, None] - centres(boxes)[None]) ** 2).sum(2)
        inside = distances(centres(anchors), boxes).min(2) > 0.01
        found = []
        for thing in range(len(boxes)):
            near = []
            for level in range(len(self.strides)):
                mine = np.nonzero(places[:, 0] == level)[0]
                near.append(mine[np.argsort(away[mine, thing], kind="stable")[: self.NEAREST]])
            chosen = np.concatenate(near)
            least = hit[chosen, thing].mean() + hit[chosen, thing].std(ddof=1)
            kept = chosen[(hit[chosen, thing] >= least) & inside[chosen, thing]]
            found.append(Claims.of(*places[kept].T, thing, hit[kept, thing]))
        return Claims.join(found)

    def rank(self, claims, boxes):
        return -claims.score


class NanoDet(ATSS):
    """ATSS on three levels with squares of five strides; corners of boxes in px, class numbers."""

    name = "nanodet"
    strides = (8, 16, 32)
    priors = None
    form, unit, relative, size_function = "xyxy", "px", False, "identity"
    as_torch = False

    def level_priors(self, level):
        return np.full((1, 2), 5.0 * self.strides[level])

    def values(self, boxes, points, stride, size, priors):
        return boxes


class YOLOF(AnchorEncoder):
    """One level, five squares at the corners of cells; four nearest anchors an object, hopeless ones not asked."""

    name = "yolof"
    strides, grid_offset = (32,), 0.0
    priors = (((32, 32), (64, 64), (128, 128), (256, 256), (512, 512)),)
    class_channels: tuple[int, ...] = (4,)
    class_values, background, ignore = "ids", 6.0, -1.0
    axes, as_torch = "NC", False
    NEAREST, HOPELESS, GOOD = 4, 0.15, 0.7

    def claims(self, boxes, labels, size):
        anchors, places = self.all_anchors(size)
        hit = overlaps(anchors, boxes)
        wanted = np.concatenate((centres(boxes), sides(boxes)), 1)
        given = np.concatenate((centres(anchors), sides(anchors)), 1)
        away = np.abs(given[:, None] - wanted[None]).sum(2)
        found = []
        taken = np.zeros(len(anchors), dtype=bool)
        for thing in range(len(boxes)):
            mine = np.argsort(away[:, thing], kind="stable")[: self.NEAREST]
            sound = mine[hit[mine, thing] >= self.HOPELESS] if len(mine) else mine
            kept = sound if len(sound) else mine[:1]
            taken[kept] = True
            found.append(Claims.of(*places[kept].T, thing, hit[kept, thing]))
        self.doubtful = places[(hit.max(1) > self.GOOD) & ~taken]
        return Claims.join(found)

    def rank(self, claims, boxes):
        return -claims.score

    def fill(self, levels, claims, boxes, labels, size):
        for level, row, col, prior in self.doubtful:
            levels[level][prior, row, col, self.class_channels[0]] = self.ignore
        super().fill(levels, claims, boxes, labels, size)
