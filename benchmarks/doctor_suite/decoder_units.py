"""Faults of decoders in units, functions, bounds and bins."""

import torch
from torch import Tensor

from .decoder_fault import Fault
from .decoders import BINS
from .faults.fault import FUNCTION, named


class SizesUnscaled(Fault):
    """Sizes not multiplied by the stride."""

    codes, suits = named("wrong_box_unit"), ("centres", "logarithms")

    def sizes(self, raw: Tensor, stride: float) -> Tensor:
        return super().sizes(raw, stride) / stride


class SidesUnscaled(Fault):
    """Distances not multiplied by the stride."""

    codes, suits = named("wrong_box_unit"), ("sides", "bins", "corners")

    def boxes(self, raw, points, stride):
        return super().boxes(raw / stride, points, stride)


class NoExp(Fault):
    """The exponential is forgotten."""

    codes, suits = FUNCTION, ("logarithms", "by name")

    def sizes(self, raw, stride):
        return raw * stride


class SharesExchanged(Fault):
    """Shares of the width taken of the height, and the other way round: right on squares."""

    codes, suits = named("image_size_swapped"), ("normalised",)

    def whole(self, height, width):
        return torch.tensor([height, width])


class SharesOfSquare(Fault):
    """All shares taken of the longer side: right on squares."""

    codes, suits = named("image_size_swapped", "wrong_box_unit"), ("normalised",)

    def whole(self, height, width):
        return torch.tensor([max(height, width)] * 2)


class OneStride(Fault):
    """Sizes pass a sigmoid's bound: none is larger than its cell."""

    codes, suits = named("range_ceiling"), ("centres",)

    def sizes(self, raw, stride):
        return (raw * stride).clamp(max=stride)


class ShortSides(Fault):
    """Distances end at five strides, as too few bins make them."""

    codes, severity, suits = named("range_ceiling"), "any", ("sides", "bins", "after suppression")

    def boxes(self, raw, points, stride):
        return super().boxes(raw.clamp(max=5), points, stride)


class BinsFirst(Fault):
    """Bins viewed before sides: (16, 4) in place of (4, 16)."""

    codes, suits = named("scrambled_layout", "wrong_box_format"), ("bins",)

    def box_part(self, level):
        return self.expectation(level[:, : 4 * BINS].unflatten(1, (BINS, 4)).transpose(1, 2))


class BinsFromOne(Fault):
    """Bins counted from 1."""

    codes, suits = named("wrong_box", "wrong_box_unit", "wrong_box_format"), ("bins",)

    def expectation(self, bins):
        return super().expectation(bins) + 1


class LikeliestBin(Fault):
    """The likeliest bin in place of the mean."""

    codes, suits = named("wrong_box"), ("bins",)

    def expectation(self, bins):
        return bins.argmax(2).to(bins.dtype)


class CutToTurnedImage(Fault):
    """Boxes cut to (height, width) in place of (width, height): right on squares."""

    codes, suits = named("image_size_swapped", "range_ceiling"), ("corners", "px")

    def boxes(self, raw, points, stride):
        made = super().boxes(raw, points, stride)
        height, width = (side * stride for side in made.shape[2:])
        return made.minimum(torch.tensor([height, width, height, width])[:, None, None]).clamp(min=0)
