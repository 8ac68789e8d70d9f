"""Boxes cut, capped, or measured from another point than declared."""

import numpy as np

from ..geometry import around, centres, sides
from .fault import Fault, named

HALF = named("wrong_box_unit", "wrong_box_format")


class PlaceNotRelative(Fault):
    """The centre in strides of the image, the cell not subtracted."""

    codes, suits = HALF, ("yolov1", "yolov5", "yolox", "centernet")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, :2] += points / stride
        return found


class SaturatedOffset(Fault):
    """The centre in strides cut to 0 to 1 before the cell is subtracted."""

    codes, suits = named("saturated_offset"), ("yolov1", "yolov2", "yolov4", "centernet")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, :2] = (centres(boxes) / stride).clip(0, 1)
        return found


class OffsetOfWhole(Fault):
    """The centre was made whole in cells before the cell was subtracted, so the offset is always 0."""

    codes, suits = named("saturated_offset", "wrong_box"), ("yolov1", "yolov4", "centernet")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, :2] = 0
        return found


class WholePixels(Fault):
    """Boxes cut to whole px before anything else."""

    codes, suits = named("wrong_box"), ("yolov8", "fcos", "rtmdet", "yolov3")

    def values(self, boxes, points, stride, size, priors):
        return super().values(np.trunc(boxes), points, stride, size, priors)


class WholeStrides(Fault):
    """Boxes cut to whole strides: an integer division."""

    codes, suits = named("wrong_box"), ("yolov8", "nanodet-plus")

    def values(self, boxes, points, stride, size, priors):
        return np.trunc(super().values(boxes, points, stride, size, priors))


class Capped(Fault):
    """No side larger than four strides."""

    codes, severity, suits = named("range_ceiling"), "any", ("yolov5", "fcos, centre sampling", "nanodet-plus", "yolox")

    def values(self, boxes, points, stride, size, priors):
        if self.form == "ltrb":
            return np.minimum(super().values(boxes, points, stride, size, priors), 4)
        return super().values(around(centres(boxes), sides(boxes).clip(max=4 * stride)), points, stride, size, priors)


class HalfAdded(Fault):
    """Half a cell between the point of the values and the declared one."""

    codes = named("half_cell_offset")
    suits = ("yolov2", "yolov5", "yolox", "nanodet-plus", "fcos", "yolof", "retinanet", "centernet", "yolox, simota")

    def values(self, boxes, points, stride, size, priors):
        away = 0 if self.relative or self.form == "ltrb" else stride / 2
        return super().values(boxes + away, points + stride / 2, stride, size, priors)


class HalfAddedToX(Fault):
    """Half a cell in x alone."""

    codes, suits = named("half_cell_offset"), ("yolov4", "fcos, centre sampling")

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points + np.array([stride / 2, 0]), stride, size, priors)


class WholeCellAdded(Fault):
    """The point of the values lies a whole cell further: cells counted from 1."""

    codes, suits = named("off_by_one_cell"), ("yolov3, every scale", "yolox", "nanodet-plus")

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points + stride, stride, size, priors)


class OffsetOfOwnCell(Fault):
    """Neighbours hold the offset from the object's own cell, not from theirs."""

    codes, suits = named("off_by_one_cell", "wrong_box", "wrong_cell"), ("yolov5", "yolov7")

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, np.floor(centres(boxes) / stride) * stride, stride, size, priors)
