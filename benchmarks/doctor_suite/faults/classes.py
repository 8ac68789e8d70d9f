"""Classes and objectness of other objects, of none, or off by something."""

import numpy as np

from .fault import Fault, named

WRONG, LEAK, PRESENCE = named("class_wrong"), named("class_leak"), named("objectness_wrong")


class NextClass(Fault):
    """The class after the object's own; the last one wraps."""

    codes, suits = WRONG, ("yolov1", "yolov5", "yolov8", "retinanet", "centernet")

    def mark(self, level, at, labels, score, values):
        super().mark(level, at, (labels + 1) % self.classes, score, values)


class CountedFromOne(Fault):
    """Class numbers counted from 1."""

    codes, suits = WRONG, ("fcos", "efficientdet")

    def mark(self, level, at, labels, score, values):
        super().mark(level, at, labels + 1, score, values)


class ClassBefore(Fault):
    """Labels one too low, cut at 0."""

    codes, suits = WRONG, ("yolox", "rtmdet", "nanodet")

    def mark(self, level, at, labels, score, values):
        super().mark(level, at, (labels - 1).clip(0), score, values)


class TwoClassesAlike(Fault):
    """Classes 2 and 3 are written as 2."""

    codes, suits = WRONG, ("yolov4", "yolof", "yolox, simota")

    def mark(self, level, at, labels, score, values):
        super().mark(level, at, np.where(labels == 3, 2, labels), score, values)


class ClassOfAnother(Fault):
    """Boxes sorted by area, labels left as they were."""

    codes, suits = named("class_wrong", "mixed_objects"), ("yolov8", "fcos", "yolov2")

    def read(self, boxes, labels, size):
        boxes, labels, size = super().read(boxes, labels, size)
        return boxes[np.argsort((boxes[:, 2:] - boxes[:, :2]).prod(1), kind="stable")], labels, size


class BoxOfFirst(Fault):
    """The box of the image's first object for all of them."""

    codes, suits = named("mixed_objects"), ("yolov5", "yolov8", "rtmdet")

    def fill_level(self, index, level, mine, boxes, labels, size):
        super().fill_level(index, level, mine, np.repeat(boxes[:1], len(boxes), 0), labels, size)


class BothClasses(Fault):
    """An object that takes over a cell leaves the class of the one before."""

    codes, suits = LEAK, ("yolov1", "yolov3", "yolox", "fcos, centre sampling")

    def settle(self, claims, boxes):
        return claims.at(np.argsort(-self.rank(claims, boxes), kind="stable"))

    def mark(self, level, at, labels, score, values):
        if self.objectness is not None:
            level[(*at, self.objectness)] = self.presence(score, values)
        level[(*at, np.array(self.class_channels)[labels])] = score


class BoxesAdded(Fault):
    """Boxes that share a cell are added up."""

    codes, suits = named("mixed_objects", "wrong_box"), ("yolov1", "yolox")

    def settle(self, claims, boxes):
        return claims.at(np.argsort(-self.rank(claims, boxes), kind="stable"))

    def fill_level(self, index, level, mine, boxes, labels, size):
        before = [level[..., channel].copy() for channel in self.box]
        super().fill_level(index, level, mine, boxes, labels, size)
        points = self.points(index, level.shape[1:3])[mine.row, mine.col]
        priors = self.level_priors(index)[mine.anchor]
        found = self.values(boxes[mine.thing], points, self.step(index), size, priors)
        for channel, column, old in zip(self.box, found.T, before, strict=True):
            level[..., channel] = old
            np.add.at(level[..., channel], self.where(index, mine, level.shape[1:3]), column)


class ClassZeroEverywhere(Fault):
    """Class 0 is set in every cell."""

    codes, suits = LEAK, ("yolov5", "yolov8")

    def store(self, levels):
        for level in levels:
            level[..., self.class_channels[0]] = 1
        return super().store(levels)


class BackgroundClass(Fault):
    """Empty cells set the last class."""

    codes, suits = LEAK, ("yolox", "rtmdet", "yolov7")

    def store(self, levels):
        for level in levels:
            empty = level[..., list(self.class_channels)].max(-1) <= 0
            level[empty, self.class_channels[-1]] = 1
        return super().store(levels)


class BackgroundZero(Fault):
    """Empty cells hold the number of class 0, not the declared one."""

    codes, suits = named("class_leak", "class_wrong", "objectness_wrong"), ("fcos", "atss", "nanodet")

    def blank(self, shape):
        level = super().blank(shape)
        level[..., self.class_channels[0]] = 0
        return level


class NeighbourClass(Fault):
    """The class before the object's own gets half of its score."""

    codes, suits = LEAK, ("yolov4", "yolox", "fcos, centre sampling")

    def mark(self, level, at, labels, score, values):
        super().mark(level, at, labels, score, values)
        level[(*at, np.array(self.class_channels)[(labels - 1) % self.classes])] = 0.5 * score


class ClassTransposed(Fault):
    """Classes written at [x, y], boxes and objectness at [y, x]; cut to the grid."""

    codes, suits = named("axes_swapped", "class_leak", "class_wrong"), ("yolov3", "yolox")

    def mark(self, level, at, labels, score, values):
        super().mark(level, at, labels, score, values)
        anchor, row, col = at
        for channel in self.class_channels:
            level[(*at, channel)] = 0
        place = anchor, col.clip(0, level.shape[1] - 1), row.clip(0, level.shape[2] - 1)
        level[(*place, np.array(self.class_channels)[labels])] = score
