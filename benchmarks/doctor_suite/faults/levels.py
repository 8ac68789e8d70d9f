"""Objects on other levels than theirs, with other strides, or on none."""

import numpy as np

from ..geometry import areas, sides
from .fault import Fault, named

LOST = named("object_lost")


class NextStride(Fault):
    """Every level believes in the stride of the next coarser one."""

    codes, suits = named("wrong_stride"), ("yolov3, every scale", "yolox", "fcos", "centernet")

    def step(self, level):
        return 2 * super().step(level)


class MiddleStride(Fault):
    """The level of 16 px believes in 32 px."""

    codes, suits = named("wrong_stride"), ("yolov5", "yolov8", "fcos, centre sampling", "nanodet-plus", "retinanet")

    def step(self, level):
        return 32 if self.strides[level] == 16 else super().step(level)


class CoarsestStride(Fault):
    """The level of 32 px believes in 24 px."""

    codes, suits = named("wrong_stride"), ("yolox", "rtmdet", "yolov4")

    def step(self, level):
        return 24 if self.strides[level] == 32 else super().step(level)


class PriorsReversed(Fault):
    """The list of priors from coarse to fine: small objects go to the coarsest level."""

    codes, suits = named("levels_reversed"), ("yolov3", "yolov5", "yolov7")

    def level_priors(self, level):
        return super().level_priors(len(self.strides) - 1 - level)


class ReachReversed(Fault):
    """The ranges of sizes from coarse to fine."""

    codes, suits = named("levels_reversed"), ("fcos", "fcos, centre sampling")

    def reach(self, level):
        return super().reach(len(self.strides) - 1 - level)


class AllLevels(Fault):
    """No ranges of sizes: every level takes every object."""

    codes, severity, suits = named("all_levels_assigned"), "warning", ("fcos", "fcos, centre sampling")

    def reach(self, level):
        return np.zeros(len(level)), np.full(len(level), np.inf)


class MiddleUnused(Fault):
    """The level of 16 px is left out by the loop over levels."""

    codes, suits = named("level_unused", "object_lost"), ("yolov3", "fcos", "yolov4", "retinanet", "yolov8")

    def claims(self, boxes, labels, size):
        found = super().claims(boxes, labels, size)
        return found.at(np.array(self.strides)[found.level] != 16)


class FinestUnused(Fault):
    """The loop over levels begins at 1."""

    codes, suits = named("level_unused", "object_lost"), ("yolov5", "nanodet", "efficientdet")

    def claims(self, boxes, labels, size):
        found = super().claims(boxes, labels, size)
        return found.at(found.level != 0)


class SizesBetween(Fault):
    """Objects of 48 to 80 px belong to no level: the ranges leave a gap."""

    codes, suits = LOST, ("yolov3", "fcos", "yolox", "centernet")

    def claims(self, boxes, labels, size):
        found = super().claims(boxes, labels, size)
        side = np.sqrt(areas(boxes).clip(0))[found.thing]
        return found.at((side < 48) | (side > 80))


class SmallDropped(Fault):
    """Objects with a side under 20 px are left out."""

    codes, suits = LOST, ("yolov1", "yolov4", "yolof")

    def claims(self, boxes, labels, size):
        found = super().claims(boxes, labels, size)
        return found.at(sides(boxes).min(1)[found.thing] >= 20)


class BorderDropped(Fault):
    """Objects that reach the border of the image are left out."""

    codes, suits = LOST, ("yolov8", "yolov3")

    def claims(self, boxes, labels, size):
        found = super().claims(boxes, labels, size)
        inside = (boxes[:, :2].min(1) > 1) & (boxes[:, 2] < size[1] - 1) & (boxes[:, 3] < size[0] - 1)
        return found.at(inside[found.thing])


class HalfOfRows(Fault):
    """Cells in the lower half of the grid are never written."""

    codes, suits = LOST, ("yolov5", "yolox")

    def claims(self, boxes, labels, size):
        found = super().claims(boxes, labels, size)
        rows = np.array([shape[0] for shape in self.shapes(size)])[found.level]
        return found.at(found.row < (rows + 1) // 2)


class ColumnsByRows(Fault):
    """Cells kept where the column is below the number of rows: right on squares."""

    codes, suits = LOST | {"image_size_swapped"}, ("yolov5", "yolov1", "fcos, centre sampling")

    def claims(self, boxes, labels, size):
        found = super().claims(boxes, labels, size)
        rows = np.array([shape[0] for shape in self.shapes(size)])[found.level]
        return found.at(found.col < rows)


class FiveOnly(Fault):
    """No more than five objects an image."""

    codes, suits = LOST, ("yolov1", "centernet", "yolov8")

    def read(self, boxes, labels, size):
        boxes, labels, size = super().read(boxes, labels, size)
        return boxes[:5], labels[:5], size


class OneOfAClass(Fault):
    """Of each class the last object alone is kept: a dictionary by class."""

    codes, suits = LOST, ("yolov3", "retinanet")

    def read(self, boxes, labels, size):
        boxes, labels, size = super().read(boxes, labels, size)
        last = {int(label): index for index, label in enumerate(labels)}
        kept = sorted(last.values())
        return boxes[kept], labels[kept], size
