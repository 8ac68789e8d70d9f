"""Objectness, ignored places and Gaussians."""

import numpy as np

from .fault import Fault, named

PRESENCE = named("objectness_wrong")


class NoObjectness(Fault):
    """Objectness is forgotten."""

    codes, suits = PRESENCE, ("yolov1", "yolov5", "yolox")

    def presence(self, score, values):
        return 0.0


class ObjectnessEverywhere(Fault):
    """Objectness begins as 1 in every cell."""

    codes, suits = PRESENCE, ("yolov2", "yolov7")

    def blank(self, shape):
        level = super().blank(shape)
        level[..., self.objectness] = 1
        return level


class ObjectnessOnFinest(Fault):
    """Objectness on the finest level alone."""

    codes, suits = PRESENCE, ("yolov3, every scale", "yolox, simota", "fcos, centre sampling")

    def store(self, levels):
        for level in levels[1:]:
            level[..., self.objectness] = 0
        return super().store(levels)


class ObjectnessRowDown(Fault):
    """Objectness one row too low."""

    codes, suits = PRESENCE, ("yolov4", "yolov3")

    def store(self, levels):
        for level in levels:
            level[..., self.objectness] = np.roll(level[..., self.objectness], 1, 1)
        return super().store(levels)


class IgnoredAsObjects(Fault):
    """Anchors that are not to be asked count as objects, without a box."""

    codes, suits = named("objectness_wrong", "class_leak"), ("retinanet", "efficientdet")

    def unasked(self):
        if self.class_values == "ids":
            return {self.class_channels[0]: 0}
        return {self.class_channels[0]: 1, self.objectness: 1}


class PeakTurned(Fault):
    """The Gaussian laid at [x, y], the peak and its box at [y, x]."""

    codes, suits = named("axes_swapped", "class_leak"), ("centernet",)

    def splat(self, heat, row, col, reach):
        super().splat(heat, min(col, heat.shape[0] - 1), min(row, heat.shape[1] - 1), reach)
