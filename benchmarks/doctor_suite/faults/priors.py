"""Sizes against other priors than declared, and units."""

import numpy as np

from ..geometry import centres, sides
from .fault import Fault, named

UNIT = named("wrong_box_unit")


class PriorsInStrides(Fault):
    """Priors divided by the stride, boxes not."""

    codes, suits = UNIT, ("yolov4", "yolov3, every scale", "retinanet")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, 2:] += np.log(stride)
        return found


class PriorsOfNextLevel(Fault):
    """Sizes against the priors of the next coarser level."""

    codes, suits = UNIT | {"wrong_stride"}, ("yolov4", "atss", "efficientdet")

    def values(self, boxes, points, stride, size, priors):
        level = self.strides.index(int(stride))
        other = self.level_priors(min(level + 1, len(self.strides) - 1))
        mine = self.level_priors(level)
        which = (np.abs(priors[:, None] - mine[None]).sum(2)).argmin(1)
        return super().values(boxes, points, stride, size, other[which])


class PriorsTurned(Fault):
    """Priors kept as (h, w) and read as (w, h) where sizes are divided."""

    codes, suits = UNIT | {"axes_swapped", "wrong_box_format"}, ("yolov2", "yolov4", "retinanet")

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points, stride, size, priors[:, ::-1])


class PriorsInOtherOrder(Fault):
    """The priors of a cell counted from the last where sizes are divided."""

    codes, suits = UNIT | {"wrong_box"}, ("yolov2", "yolof")

    def values(self, boxes, points, stride, size, priors):
        level = self.strides.index(int(stride))
        mine = self.level_priors(level)
        which = (np.abs(priors[:, None] - mine[None]).sum(2)).argmin(1)
        return super().values(boxes, points, stride, size, mine[::-1][which])


class PlaceByStride(Fault):
    """Places divided by the stride, not by the prior's sides."""

    codes, suits = UNIT, ("retinanet", "yolof")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, :2] *= priors / stride
        return found


class Variances(Fault):
    """The variances of SSD divide the deltas, and nobody declared them."""

    codes, suits = UNIT, ("retinanet", "efficientdet")

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points, stride, size, priors) / (0.1, 0.1, 0.2, 0.2)


class NotNormalised(Fault):
    """px where shares of the image are declared."""

    codes, suits = UNIT, ("yolov3",)

    def values(self, boxes, points, stride, size, priors):
        return np.concatenate((centres(boxes), sides(boxes)), 1)


class SizesNotNormalised(Fault):
    """Square roots of sizes in px beside places in the cell."""

    codes, suits = UNIT, ("yolov1",)

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, 2:] = np.sqrt(sides(boxes).clip(0))
        return found


class PixelsForStrides(Fault):
    """Everything left in px."""

    codes, suits = UNIT, ("yolov8", "fcos, centre sampling", "nanodet-plus")

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points, stride, size, priors) * stride


class StridesForPixels(Fault):
    """Everything divided by the stride where px are declared."""

    codes, suits = UNIT, ("fcos", "rtmdet", "yolox, simota")

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points, stride, size, priors) / stride


class NormalisedForPixels(Fault):
    """Shares of the image where px are declared."""

    codes, suits = UNIT, ("nanodet", "fcos")

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points, stride, size, priors) / (size[1], size[0], size[1], size[0])


class MiddleLevelInPixels(Fault):
    """px on the level of 16 px alone."""

    codes, suits = UNIT, ("yolov5", "yolov8", "fcos, centre sampling")

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points, stride, size, priors) * (stride if stride == 16 else 1)


class FinestStride(Fault):
    """The stride of the finest level divides the boxes of every level."""

    codes, suits = UNIT | {"wrong_stride"}, ("yolov8", "nanodet-plus", "yolov7")

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points, stride, size, priors) * (stride / self.strides[0])
