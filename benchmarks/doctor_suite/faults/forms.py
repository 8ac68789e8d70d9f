"""Boxes in another format or order, cut, capped, or measured from another point than declared."""

import numpy as np

from ..geometry import around, centres, sides
from .fault import Fault, named

FORMAT = named("wrong_box_format")
HALF = named("wrong_box_unit", "wrong_box_format")


class Ordered(Fault):
    """The box channels in another order."""

    order: tuple[int, ...] = (0, 1, 2, 3)

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points, stride, size, priors)[:, list(self.order)]


class BoxXYSwapped(Ordered):
    """y before x in both pairs of the box."""

    codes, order = named("axes_swapped"), (1, 0, 3, 2)
    suits = ("yolov1", "yolov3", "yolov5", "yolov8", "fcos", "centernet", "efficientdet")


class SizesSwapped(Ordered):
    """The height before the width."""

    codes, order = named("axes_swapped", "wrong_box_format"), (0, 1, 3, 2)
    suits = ("yolov2", "yolov7", "yolox", "centernet", "atss")


class SizesFirst(Ordered):
    """The sizes before the centre."""

    codes, order, suits = FORMAT, (2, 3, 0, 1), ("yolox, simota", "yolov3")


class XXYY(Ordered):
    """x1, x2, y1, y2."""

    codes, order, suits = FORMAT, (0, 2, 1, 3), ("yolov8", "nanodet")


class LeftRightTopBottom(Ordered):
    """Left, right, top, bottom."""

    codes, order, suits = FORMAT, (0, 2, 1, 3), ("fcos", "nanodet-plus")


class RightBottomFirst(Ordered):
    """Right and bottom before left and top."""

    codes, order, suits = FORMAT, (2, 3, 0, 1), ("fcos, centre sampling",)


class SidesSigned(Fault):
    """Left and top come out negative: the point was subtracted from every side alike."""

    codes, suits = FORMAT, ("fcos", "nanodet-plus")

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points, stride, size, priors) * (-1, -1, 1, 1)


class HalfSizes(Fault):
    """Half widths and heights."""

    codes, suits = HALF, ("yolov3", "yolov5", "yolox, simota")

    def values(self, boxes, points, stride, size, priors):
        return super().values(around(centres(boxes), sides(boxes) / 2), points, stride, size, priors)


class DoubleSizes(Fault):
    """Twice the widths and heights: half sizes were doubled once too often."""

    codes, suits = HALF, ("centernet", "yolov7")

    def values(self, boxes, points, stride, size, priors):
        return super().values(around(centres(boxes), sides(boxes) * 2), points, stride, size, priors)


class CornerForCentre(Fault):
    """The upper left corner where the centre belongs; cells are those of the centre."""

    codes, suits = FORMAT, ("yolov3", "yolov5", "yolox", "yolox, simota", "retinanet")

    def values(self, boxes, points, stride, size, priors):
        return super().values(around(boxes[:, :2], sides(boxes)), points, stride, size, priors)


class CornersForCentre(Fault):
    """Both corners where centre and size belong."""

    codes, suits = FORMAT, ("yolov3", "yolox, simota")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        return np.concatenate((found[:, :2] - found[:, 2:] / 2, found[:, :2] + found[:, 2:] / 2), 1)


class SizeForCorner(Fault):
    """Width and height where the second corner belongs."""

    codes, suits = FORMAT, ("yolov8", "nanodet", "rtmdet")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, 2:] -= found[:, :2]
        return found


class CentreAndSize(Fault):
    """Centre and size where both corners belong."""

    codes, suits = FORMAT, ("rtmdet",)

    def values(self, boxes, points, stride, size, priors):
        return np.concatenate((centres(boxes), sides(boxes)), 1)


class CornersForSides(Fault):
    """Corners of the box where distances from the point belong."""

    codes, suits = FORMAT, ("fcos, centre sampling",)

    def values(self, boxes, points, stride, size, priors):
        return boxes / stride
