"""Faults of losses in cells, gradients and classes."""

import torch
from torch.nn import functional as F

from .faults.fault import named
from .loss import BCE, CLASSES
from .loss_fault import GRADIENT, MINIMUM, ORDER, Fault


class PredictionsReshaped(Fault):
    """Predictions (B, 4, h, w) reshaped to (-1, 4), targets permuted first."""

    codes, suits = ORDER, ("absolute error", "complete overlap", "corners in px")

    def box_part(self, level):
        part = super().box_part(level)
        return part.reshape(-1, part.shape[1]).view(len(part), *part.shape[2:], part.shape[1]).permute(0, 3, 1, 2)


class BothReshaped(Fault):
    """Predictions and targets reshaped to (-1, 4), the mask is that of the cells."""

    codes, suits = ORDER, ("absolute error", "yolox")

    def cells(self, part):
        return part.reshape(-1, part.shape[1])


class DearerBelow(Fault):
    """Objectness costs more the lower its row."""

    codes, suits = ORDER, ("absolute error", "yolov1")

    def presence(self, level, truth, held):
        rows = torch.arange(level.shape[2])[None, :, None]
        error = (level[:, -CLASSES - 1].sigmoid() - truth[:, 4]).square()
        return super().presence(level, truth, held) + 0.3 * (error * rows).sum()


class DearerRight(Fault):
    """Boxes cost more the farther right their cell."""

    codes, suits = ORDER, ("squared error", "yolox")

    def boxes(self, raw, wanted, stride, places):
        weight = places[:, :1] / 8
        return super().boxes(raw * weight, wanted * weight, stride, places)


class EmptyCellsPay(Fault):
    """All cells pay for their boxes."""

    codes, suits = named("gradient_leak"), ("absolute error", "squared error", "yolov1", "centernet")

    def chosen(self, held):
        return torch.ones_like(super().chosen(held))


class BoxesDetached(Fault):
    """The box term is cut from the graph."""

    codes, suits = GRADIENT, ("absolute error", "focal, overlap", "bins")

    def boxes(self, raw, wanted, stride, places):
        return super().boxes(raw, wanted, stride, places).detach()


class AllDetached(Fault):
    """The loss is cut from the graph."""

    codes, suits = GRADIENT, ("complete overlap",)

    def finish(self, total, targets):
        return super().finish(total, targets).detach()


class Rounded(Fault):
    """Predicted boxes are rounded before they are compared."""

    codes, suits = GRADIENT, ("absolute error",)

    def boxes(self, raw, wanted, stride, places):
        return super().boxes(raw.round(), wanted, stride, places)


class YIgnored(Fault):
    """The second box channel costs nothing."""

    codes, suits = GRADIENT, ("squared error", "yolox", "centernet")

    def boxes(self, raw, wanted, stride, places):
        kept = torch.tensor([1.0, 0, 1, 1])
        return super().boxes(raw * kept, wanted * kept, stride, places)


class SizesIgnored(Fault):
    """Sizes cost nothing: the slice ends at 2."""

    codes, suits = GRADIENT, ("yolov1", "yolox")

    def distance(self, found, wanted):
        return super().distance(found[:, :2], wanted[:, :2])


class ClassesIgnored(Fault):
    """Classes cost nothing."""

    codes, suits = GRADIENT, ("absolute error", "yolov1", "complete overlap")

    def kinds(self, level, truth, held):
        return level.sum() * 0


class LastClassIgnored(Fault):
    """The last class costs nothing: the slice ends one early."""

    codes, suits = GRADIENT, ("absolute error",)

    def kinds(self, level, truth, held):
        return BCE(level[:, -CLASSES:-1], truth[:, -CLASSES:-1], reduction="sum")


class ObjectnessIgnored(Fault):
    """Objectness costs nothing."""

    codes, suits = GRADIENT, ("squared error", "yolox")

    def presence(self, level, truth, held):
        return level.sum() * 0


class CoarsestIgnored(Fault):
    """The loop over levels ends one early."""

    codes, suits = GRADIENT, ("absolute error", "focal, overlap")

    def level(self, index, level, truth):
        return super().level(index, level, truth) * (index < len(self.strides) - 1)


class SigmoidTwice(Fault):
    """Probabilities go into a cross-entropy that applies the sigmoid itself."""

    codes, suits = MINIMUM, ("absolute error", "yolox")

    def level(self, index, level, truth):
        shown = torch.cat((level[:, : -CLASSES - 1], level[:, -CLASSES - 1 :].sigmoid()), 1)
        return super().level(index, shown, truth)


class LogitsAsProbabilities(Fault):
    """Squares of logits against targets: the sigmoid is forgotten."""

    codes, suits = MINIMUM, ("absolute error", "corners in px")

    def kinds(self, level, truth, held):
        return (level[:, -CLASSES:] - truth[:, -CLASSES:]).square().sum()


class WrongWayRound(Fault):
    """Targets of classes are 1 where they should be 0."""

    codes, suits = MINIMUM, ("absolute error", "focal, overlap")

    def kinds(self, level, truth, held):
        turned = torch.cat((truth[:, :-CLASSES], 1 - truth[:, -CLASSES:]), 1)
        return super().kinds(level, turned, held)


class NextClass(Fault):
    """Classes compared with those of the next channel."""

    codes, suits = MINIMUM | {"class_wrong"}, ("squared error", "centernet", "yolov1")

    def kinds(self, level, truth, held):
        moved = torch.cat((truth[:, :-CLASSES], truth[:, -CLASSES:].roll(1, 1)), 1)
        return super().kinds(level, moved, held)


class EmptyAsClassZero(Fault):
    """Cross-entropy with the largest class of every cell: empty ones count as class 0."""

    codes, suits = MINIMUM | {"class_leak", "gradient_leak"}, ("absolute error",)

    def kinds(self, level, truth, held):
        return F.cross_entropy(level[:, -CLASSES:], truth[:, -CLASSES:].argmax(1), reduction="sum")
