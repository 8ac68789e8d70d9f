"""Targets stored in another arrangement, or from another image size, than declared."""

import numpy as np
import torch

from ..arrangement import arrange
from .fault import Fault, named

SCRAMBLED = named("scrambled_layout")


class Viewed(Fault):
    """(h, w, C) viewed as (C, h, w), without a permute."""

    codes, suits = SCRAMBLED, ("yolov1", "yolov5", "yolox", "fcos, centre sampling", "rtmdet", "centernet")

    def store(self, levels):
        mixed = [np.ascontiguousarray(level).reshape(len(level), level.shape[3], *level.shape[1:3]) for level in levels]
        return super().store([level.transpose(0, 2, 3, 1) for level in mixed])


class Unviewed(Fault):
    """(C, h, w) viewed as (h, w, C), without a permute."""

    codes, suits = SCRAMBLED, ("yolov2", "yolov8", "nanodet", "fcos", "yolof")

    def store(self, levels):
        mixed = [np.ascontiguousarray(level.transpose(0, 3, 1, 2)).reshape(level.shape) for level in levels]
        return super().store(mixed)


class CoarsestViewed(Fault):
    """(h, w, C) viewed as (C, h, w) on the coarsest level that is 32 px alone."""

    codes, suits = SCRAMBLED, ("yolov3", "yolov7")

    def store(self, levels):
        last = levels[2]
        mixed = np.ascontiguousarray(last).reshape(len(last), last.shape[3], *last.shape[1:3]).transpose(0, 2, 3, 1)
        return super().store([*levels[:2], mixed])


class AnchorsFirst(Fault):
    """All cells of the first anchor, then those of the next, where the anchors of a cell stand together."""

    codes, suits = SCRAMBLED, ("retinanet", "yolof")

    def store(self, levels):
        mixed = []
        for level in levels:
            anchors, rows, cols, channels = level.shape
            flat = level.reshape(anchors * rows * cols, channels)
            mixed.append(flat.reshape(rows, cols, anchors, channels).transpose(2, 0, 1, 3))
        return super().store(mixed)


class AnchorsLast(Fault):
    """Channel by channel the anchors, where each anchor's channels stand together."""

    codes, suits = SCRAMBLED, ("yolov4",)

    def store(self, levels):
        made = [level.transpose(3, 0, 1, 2).reshape(-1, *level.shape[1:3]) for level in levels]
        return [torch.from_numpy(np.ascontiguousarray(part, dtype=np.float32)) for part in made]


class GridsTurned(Fault):
    """Flat cells counted down the columns."""

    codes, suits = named("axes_swapped", "scrambled_layout"), ("yolov8", "atss", "nanodet-plus", "yolox, simota")

    def store(self, levels):
        turned = [np.ascontiguousarray(level.transpose(0, 2, 1, 3)).reshape(level.shape) for level in levels]
        return super().store(turned)


class Transposed(Fault):
    """Columns before rows in what is returned."""

    codes, suits = named("axes_swapped", "wrong_output"), ("yolov1", "yolov7", "rtmdet", "centernet")

    def store(self, levels):
        return super().store([level.transpose(0, 2, 1, 3) for level in levels])


class SizeAsWidthHeight(Fault):
    """The image size read as (width, height): grids, cells and shares of the image."""

    codes = named(
        "image_size_swapped", "wrong_output", "scrambled_layout"
    )  # what a flat or turned grid shows is the same
    suits = ("yolov3", "yolov1", "yolov8", "fcos", "centernet")

    def read(self, boxes, labels, size):
        boxes, labels, size = super().read(boxes, labels, size)
        return boxes, labels, (size[1], size[0])


class SharesSwapped(Fault):
    """x and w divided by the height, y and h by the width."""

    codes, suits = named("image_size_swapped"), ("yolov1", "yolov3")

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points, stride, (size[1], size[0]), priors)


class SharesOfLongSide(Fault):
    """All four divided by the longer side."""

    codes, suits = named("image_size_swapped", "wrong_box_unit"), ("yolov3",)

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points, stride, (max(size), max(size)), priors)


class LevelsTurned(Fault):
    """The coarsest level first in what is returned."""

    codes, suits = named("levels_reversed", "wrong_output"), ("yolov5", "fcos", "yolov3")

    def store(self, levels):
        return super().store(levels[::-1])


class FlatLevelsTurned(Fault):
    """The coarsest level first in the flat array: nothing shows in its shape."""

    codes, suits = named("levels_reversed"), ("yolov8", "retinanet", "nanodet", "yolox, simota")

    def store(self, levels):
        return super().store(levels[::-1])


class BatchAdded(Fault):
    """A batch dimension that is not declared."""

    codes, suits = named("wrong_output"), ("yolox", "yolov2")

    def store(self, levels):
        made = super().store(levels)
        return [part[None] for part in made]


class ChannelsLast(Fault):
    """(h, w, C) where (C, h, w) is declared."""

    codes, suits = named("wrong_output", "scrambled_layout"), ("fcos, centre sampling", "centernet")

    def store(self, levels):
        return [np.ascontiguousarray(arrange(level, "HWC"), dtype=np.float32) for level in levels]


class WholeNumbers(Fault):
    """Targets made with an integer type, which cuts every fraction."""

    codes, suits = named("wrong_output", "wrong_box"), ("fcos", "yolox, simota")

    def store(self, levels):
        made = super().store(levels)
        cut = [torch.as_tensor(part).long() for part in ([made] if hasattr(made, "shape") else made)]
        return cut[0] if hasattr(made, "shape") else cut


class HalfPrecision(Fault):
    """px of boxes in bfloat16."""

    codes, suits = named("wrong_output", "wrong_box"), ("rtmdet",)

    def store(self, levels):
        return [part.bfloat16() for part in super().store(levels)]


class FlatLevelMissing(Fault):
    """The coarsest level is missing from the flat array."""

    codes, suits = named("wrong_output"), ("yolov8", "atss")

    def store(self, levels):
        return super().store(levels[:-1])
