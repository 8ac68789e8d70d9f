"""Faults of losses in what is compared with what."""

import torch

from .loss_fault import MINIMUM, Fault


class XYExchanged(Fault):
    """Predicted x and y change places."""

    codes, suits = MINIMUM | {"axes_swapped"}, ("absolute error", "complete overlap", "centernet")

    def boxes(self, raw, wanted, stride, places):
        return super().boxes(raw[:, [1, 0, 3, 2]], wanted, stride, places)


class SizesExchanged(Fault):
    """Predicted width and height change places."""

    codes, suits = MINIMUM | {"axes_swapped", "wrong_box_format"}, ("complete overlap", "yolox", "yolov1")

    def boxes(self, raw, wanted, stride, places):
        return super().boxes(raw[:, [0, 1, 3, 2]], wanted, stride, places)


class UnitsMixed(Fault):
    """Predictions in strides against targets in px."""

    codes, suits = MINIMUM | {"wrong_box_unit"}, ("absolute error", "focal, overlap")

    def boxes(self, raw, wanted, stride, places):
        return super().boxes(raw, wanted * stride, stride, places)


class ExpOfOne(Fault):
    """The exponential is taken of predicted sizes, not of the targets'."""

    codes, suits = MINIMUM | {"wrong_box_unit", "wrong_box_format"}, ("yolox", "centernet")

    def boxes(self, raw, wanted, stride, places):
        return super().boxes(torch.cat((raw[:, :2], raw[:, 2:].exp()), 1), wanted, stride, places)


class HalfAway(Fault):
    """Predictions are decoded from the middle of cells, targets from the corner."""

    codes, suits = MINIMUM | {"half_cell_offset"}, ("complete overlap", "yolov1")

    def boxes(self, raw, wanted, stride, places):
        return super().boxes(raw + torch.tensor([0.5, 0.5, 0, 0]), wanted, stride, places)


class OverlapItself(Fault):
    """The overlap is added, not its complement."""

    codes, suits = MINIMUM, ("focal, overlap", "complete overlap")

    def distance(self, found, wanted):
        return len(found) - super().distance(found, wanted)


class NoAbsolute(Fault):
    """Differences are added with their signs."""

    codes, suits = MINIMUM, ("absolute error",)

    def distance(self, found, wanted):
        return (found - wanted).sum()


class RollsOverChannels(Fault):
    """Predicted distances compared with the next side's."""

    codes, suits = MINIMUM | {"wrong_box_format"}, ("squared error", "focal, overlap")

    def boxes(self, raw, wanted, stride, places):
        return super().boxes(raw, wanted.roll(1, 1), stride, places)
