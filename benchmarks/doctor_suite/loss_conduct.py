"""Faults of losses that are not finite, mix images, keep what they should not, or raise."""

import torch

from .faults.fault import named
from .loss_fault import GRADIENT, ORDER, Fault

FINITE = named("non_finite")


class MeanOfNone(Fault):
    """The mean over the objects of an image that has none."""

    codes, suits = FINITE, ("absolute error", "centernet")

    def distance(self, found, wanted):
        return (found - wanted).abs().mean()


class CountedObjects(Fault):
    """Divided by the number of objects, which may be 0."""

    codes, suits = FINITE, ("squared error", "yolox")

    def finish(self, total, targets):
        return total / sum(self.held(level).sum() for level in targets)


class ByArea(Fault):
    """Divided by the area of the object, which may be 0."""

    codes, suits = FINITE, ("absolute error", "focal, overlap")

    def distance(self, found, wanted):
        area = (wanted[:, :2] + wanted[:, 2:]).prod(1) if self.name == "absolute error" else _area(wanted)
        return super().distance(found, wanted) + ((found - wanted).abs().sum(1) / area).sum() * 1e-3


class LogOfOverlap(Fault):
    """The logarithm of an overlap that is 0 where boxes do not touch."""

    codes, suits = FINITE, ("corners in px", "focal, overlap")

    def distance(self, found, wanted):
        low, high = torch.maximum(found[:, :2], wanted[:, :2]), torch.minimum(found[:, 2:], wanted[:, 2:])
        shared = (high - low).clamp(min=0).prod(1)
        return -(shared / (_area(found) + _area(wanted) - shared)).log().sum()


class RootOfSizes(Fault):
    """The square root of predicted sizes, which may be negative."""

    codes, suits = FINITE, ("centernet",)

    def boxes(self, raw, wanted, stride, places):
        rooted = [torch.cat((part[:, :2], part[:, 2:].sqrt()), 1) for part in (raw, wanted)]
        return super().boxes(*rooted, stride, places)


class FirstImage(Fault):
    """The boxes of the first image for every image."""

    codes, suits = named("mixed_batch", "no_gradient"), ("absolute error", "complete overlap")

    def box_part(self, level):
        part = super().box_part(level)
        return part[:1].expand_as(part)


class BatchTurned(Fault):
    """Predictions of one image compared with the targets of the other."""

    codes, suits = named("mixed_batch", "not_minimal"), ("squared error", "corners in px")

    def level(self, index, level, truth):
        return super().level(index, level.flip(0), truth)


class ColumnsFirst(Fault):
    """Predictions flattened by columns, targets by rows."""

    codes, suits = ORDER | {"axes_swapped", "not_minimal"}, ("absolute error", "yolox")

    def box_part(self, level):
        part = super().box_part(level)
        return part.transpose(2, 3).reshape(part.shape)


class NotScalar(Fault):
    """A loss for each image."""

    codes, suits = named("wrong_output"), ("absolute error",)

    def finish(self, total, targets):
        return super().finish(total, targets).expand(len(targets[0]))


class PlainNumber(Fault):
    """A plain number comes out."""

    codes, suits = named("wrong_output", "no_gradient"), ("squared error",)

    def finish(self, total, targets):
        return super().finish(total, targets).item()


class EmptyRaises(Fault):
    """Targets without objects raise."""

    codes, suits = named("raises"), ("absolute error", "focal, overlap")

    def finish(self, total, targets):
        if not any(self.held(level).any() for level in targets):
            raise IndexError("max(): Expected reduction dim to be specified for input.numel() == 0")
        return super().finish(total, targets)


class SquaresOnly(Fault):
    """A view that takes grids for squares raises on oblong images."""

    codes, suits = named("raises"), ("yolox",)

    def box_part(self, level):
        part = super().box_part(level)
        return part.reshape(len(part), 4, part.shape[2], part.shape[2])


class TargetsInPlace(Fault):
    """Boxes are compared in px, for which targets are multiplied by the stride in place."""

    codes, suits = named("state_leak"), ("absolute error",)

    def level(self, index, level, truth):
        stride = self.strides[index]
        truth[:, :4] *= stride
        return super().level(index, torch.cat((level[:, :4] * stride, level[:, 4:]), 1), truth)


class RunningMean(Fault):
    """A running mean of the loss divides it, and is kept between calls."""

    codes, suits = named("state_leak"), ("squared error", "focal, overlap")

    def finish(self, total, targets):
        total = super().finish(total, targets)
        self.mean = 0.9 * getattr(self, "mean", 1.0) + 0.1 * float(total.detach())
        return total / max(self.mean, 1e-3)


class ClampedPredictions(Fault):
    """Predictions are clamped to [0, 1] before they are compared: larger ones get no gradient."""

    codes, suits = GRADIENT | {"not_minimal"}, ("absolute error", "centernet")

    def boxes(self, raw, wanted, stride, places):
        return super().boxes(raw.clamp(0, 1), wanted, stride, places)


def _area(boxes):
    return (boxes[:, 2:] - boxes[:, :2]).prod(1)
