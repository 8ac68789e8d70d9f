"""Encoders that remember, change what they are given, or raise."""

import numpy as np

from .fault import Fault, named

STATE = named("state_leak")


class BoxesInPlace(Fault):
    """The given boxes are divided in place."""

    codes, suits = STATE, ("yolov1", "yolov5", "yolov8")

    def __call__(self, boxes, labels, image_size):
        found = super().__call__(boxes, labels, image_size)
        if len(boxes):
            boxes /= self.strides[0]
        return found


class LabelsInPlace(Fault):
    """The given labels gain 1 for the background, in place."""

    codes, suits = STATE, ("fcos", "retinanet")

    def __call__(self, boxes, labels, image_size):
        found = super().__call__(boxes, labels, image_size)
        labels += 1
        return found


class BufferKept(Fault):
    """Targets are made once an image size, and never cleared."""

    codes, suits = STATE, ("yolov3", "yolox", "centernet")

    def __call__(self, boxes, labels, image_size):
        self.now = tuple(image_size)
        self.made = getattr(self, "made", {})
        return super().__call__(boxes, labels, image_size)

    def blank(self, shape):
        return self.made.setdefault((self.now, shape), super().blank(shape))

    def store(self, levels):
        return super().store([level.copy() for level in levels])


class FirstGrid(Fault):
    """The grid of the first call is kept for all image sizes."""

    codes, suits = STATE | {"wrong_output"}, ("yolov4", "rtmdet", "retinanet")

    def shapes(self, size):
        self.first = getattr(self, "first", None) or super().shapes(size)
        return self.first

    def where(self, index, mine, shape):
        anchor, row, col = super().where(index, mine, shape)
        return anchor, row.clip(0, shape[0] - 1), col.clip(0, shape[1] - 1)


class AnswerKept(Fault):
    """The answer is kept by image size and number of objects."""

    codes, suits = STATE, ("yolov8", "yolov2")

    def __call__(self, boxes, labels, image_size):
        self.kept = getattr(self, "kept", {})
        key = tuple(image_size), len(boxes)
        if key not in self.kept:
            self.kept[key] = super().__call__(boxes, labels, image_size)
        return self.kept[key]


class Jitter(Fault):
    """The jitter of the augmentation is left on."""

    codes, suits = STATE | {"wrong_box"}, ("yolox, simota", "nanodet")

    def read(self, boxes, labels, size):
        self.dice = getattr(self, "dice", None) or np.random.default_rng(0)
        boxes, labels, size = super().read(boxes, labels, size)
        return boxes + self.dice.normal(0, 1.5, boxes.shape), labels, size


class EmptyRaises(Fault):
    """An image without objects raises."""

    codes, suits = named("raises"), ("yolov5", "atss", "yolox, simota")

    def __call__(self, boxes, labels, image_size):
        if not len(boxes):
            raise ValueError("zero-size array to reduction operation maximum which has no identity")
        return super().__call__(boxes, labels, image_size)


class EmptyIsNothing(Fault):
    """An image without objects gives None."""

    codes, suits = named("raises", "wrong_output"), ("yolov8", "centernet")

    def __call__(self, boxes, labels, image_size):
        return super().__call__(boxes, labels, image_size) if len(boxes) else None


class SingleRaises(Fault):
    """One object alone is squeezed to no dimension, and the loop over it raises."""

    codes, suits = named("raises"), ("yolov3", "yolox")

    def __call__(self, boxes, labels, image_size):
        if len(boxes) == 1:
            raise TypeError("iteration over a 0-d tensor")
        return super().__call__(boxes, labels, image_size)


class PartlyOutsideRaises(Fault):
    """A box that is partly outside of the image raises."""

    codes, suits = named("edge_crash"), ("yolov8", "fcos", "yolov2")

    def __call__(self, boxes, labels, image_size):
        made = np.asarray(boxes)
        beyond = len(made) and (made.min() < 0 or made[:, 2].max() > image_size[1] or made[:, 3].max() > image_size[0])
        if beyond:
            raise IndexError("index out of range in self")
        return super().__call__(boxes, labels, image_size)


class CentreOnEdgeRaises(Fault):
    """A centre on the right or lower edge of the image raises."""

    codes, suits = named("edge_crash"), ("yolov4", "centernet")

    def __call__(self, boxes, labels, image_size):
        made = np.asarray(boxes)
        middle = (made[:, :2] + made[:, 2:]) / 2 if len(made) else np.zeros((1, 2))
        if (middle >= (image_size[1], image_size[0])).any():
            raise IndexError("index is out of bounds for dimension with this size")
        return super().__call__(boxes, labels, image_size)


class LogOfNothing(Fault):
    """A box without width or height gives minus infinity: no smallest size guards the logarithm."""

    codes, suits = named("non_finite"), ("yolov2", "yolov4", "yolox")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        flat = boxes[:, 2:] <= boxes[:, :2]
        found[:, 2:][flat] = -np.inf
        return found


class ShareOfNothing(Fault):
    """A box without an area makes NaN of its box channels: its overlap is 0 / 0."""

    codes, suits = named("non_finite"), ("yolox, simota", "yolov3")

    def values(self, boxes, points, stride, size, priors):
        found = super().values(boxes, points, stride, size, priors)
        found[(boxes[:, 2:] <= boxes[:, :2]).any(1)] = np.nan
        return found
