"""Boxes in another unit, by another function, against another prior than declared."""

import numpy as np

from ..geometry import TINY
from .fault import FUNCTION, Fault, named

UNIT = named("wrong_box_unit")


class LogForgotten(Fault):
    """Sizes over the prior or stride, without the logarithm."""

    codes, suits = FUNCTION, ("yolov2", "yolov4", "yolox", "retinanet", "yolof")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, 2:] = np.exp(found[:, 2:])
        return found


class LogTwice(Fault):
    """The logarithm of the logarithm, kept above nothing by a small number."""

    codes, suits = FUNCTION | {"wrong_box"}, ("yolov3, every scale", "atss")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, 2:] = np.log(found[:, 2:].clip(TINY))
        return found


class LogOfTwo(Fault):
    """The binary logarithm where the natural one is declared."""

    codes, suits = FUNCTION | {"wrong_box"}, ("yolox", "efficientdet")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, 2:] /= np.log(2)
        return found


class LogAdded(Fault):
    """The logarithm of sizes where the sizes themselves are declared."""

    codes, suits = FUNCTION, ("yolov5", "centernet")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, 2:] = np.log(found[:, 2:].clip(TINY))
        return found


class SqrtForgotten(Fault):
    """Normalised sizes without the square root."""

    codes, suits = FUNCTION, ("yolov1",)

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, 2:] **= 2
        return found


class SqrtOfBoth(Fault):
    """The square root of the places too."""

    codes, suits = FUNCTION | {"wrong_box"}, ("yolov1", "yolov3")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, :2] = np.sqrt(found[:, :2].clip(0))
        return found


class SqrtOfSizes(Fault):
    """The square root of sizes, as YOLOv1 has it, where none is declared."""

    codes, suits = FUNCTION, ("yolov5", "yolox, simota")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, 2:] = np.sqrt(found[:, 2:].clip(0))
        return found


class SizesInPixels(Fault):
    """Sizes left in px beside places in strides."""

    codes, suits = UNIT, ("yolov5", "yolov7", "centernet")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, 2:] *= stride
        return found


class LogOfPixels(Fault):
    """The logarithm of px, the division by the prior forgotten."""

    codes, suits = FUNCTION, ("yolov2", "yolov3, every scale", "atss")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[:, 2:] += np.log(priors)
        return found
