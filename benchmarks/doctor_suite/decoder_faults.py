"""Faults of decoders in strides, points and forms."""

import torch

from .decoder_fault import Fault
from .faults.fault import named

HALF = named("wrong_box_unit", "wrong_box_format")


class MiddleStride(Fault):
    """The level of 16 px decoded with 32 px."""

    codes, suits = named("wrong_stride"), ("sides", "logarithms")

    def step(self, index):
        return 32 if self.strides[index] == 16 else super().step(index)


class StridesTurned(Fault):
    """Strides from coarse to fine."""

    codes, suits = named("levels_reversed", "wrong_stride"), ("centres", "bins")

    def step(self, index):
        return self.strides[len(self.strides) - 1 - index]


class PointsYX(Fault):
    """Points as (y, x)."""

    codes, suits = named("axes_swapped"), ("sides", "logarithms", "after suppression")

    def points(self, shape, stride):
        return super().points(shape, stride).flip(0)


class PointsTurned(Fault):
    """Points of the transposed grid, viewed as (h, w): scrambled on oblong images."""

    codes, suits = named("scrambled_layout", "axes_swapped"), ("sides", "centres")

    def points(self, shape, stride):
        return super().points(shape, stride).transpose(1, 2).reshape(2, *shape)


class FlatByRows(Fault):
    """Rows and columns from the flat index by the number of rows: right on squares."""

    codes, suits = named("scrambled_layout", "axes_swapped", "image_size_swapped"), ("sides", "bins")

    def points(self, shape, stride):
        flat = torch.arange(shape[0] * shape[1])
        x, y = flat % shape[0], flat // shape[0]
        return ((torch.stack((x, y)) + self.offset) * stride).view(2, *shape)


class PointsByWrongSide(Fault):
    """Points as shares of the grid times the other side of the image: right on squares."""

    codes, suits = named("image_size_swapped"), ("sides", "centres", "by name")

    def points(self, shape, stride):
        turned = torch.tensor([shape[0] / shape[1], shape[1] / shape[0]])
        return super().points(shape, stride) * turned[:, None, None]


class HalfAway(Fault):
    """Points half a cell further."""

    codes, suits = named("half_cell_offset"), ("sides", "centres", "sides from corners of cells", "bins")

    def points(self, shape, stride):
        return super().points(shape, stride) + stride / 2


class HalfBackOnFinest(Fault):
    """Points of the finest level half a cell back."""

    codes, suits = named("half_cell_offset"), ("sides", "logarithms")

    def points(self, shape, stride):
        return super().points(shape, stride) - (4 if stride == 8 else 0)


class CellAway(Fault):
    """Cells counted from 1."""

    codes, suits = named("off_by_one_cell"), ("logarithms", "after suppression")

    def points(self, shape, stride):
        return super().points(shape, stride) + stride


class GivesSizes(Fault):
    """Centre and size come out."""

    codes, suits = named("wrong_box_format"), ("sides", "centres", "px")

    def boxes(self, raw, points, stride):
        low, high = super().boxes(raw, points, stride).chunk(2, 1)
        return torch.cat(((low + high) / 2, high - low), 1)


class GivesCornerAndSize(Fault):
    """The upper left corner and the size come out."""

    codes, suits = named("wrong_box_format"), ("bins", "corners", "by name")

    def boxes(self, raw, points, stride):
        low, high = super().boxes(raw, points, stride).chunk(2, 1)
        return torch.cat((low, high - low), 1)


class CornerTakenForCentre(Fault):
    """Half of the size is not subtracted: the centre comes out as the corner."""

    codes, suits = named("wrong_box_format"), ("centres", "normalised")

    def boxes(self, raw, points, stride):
        low, high = super().boxes(raw, points, stride).chunk(2, 1)
        return torch.cat((low, high), 1) + ((high - low) / 2).repeat(1, 2, 1, 1)


class GivesYX(Fault):
    """y before x in what comes out, as TensorFlow has it."""

    codes, suits = named("axes_swapped"), ("sides", "px", "by name")

    def boxes(self, raw, points, stride):
        return super().boxes(raw, points, stride)[:, [1, 0, 3, 2]]


class SidesExchanged(Fault):
    """Width and height exchanged."""

    codes, suits = named("axes_swapped", "wrong_box_format"), ("centres", "logarithms")

    def boxes(self, raw, points, stride):
        return super().boxes(raw[:, [0, 1, 3, 2]], points, stride)


class LeftRight(Fault):
    """Distances read as left, right, top, bottom."""

    codes, suits = named("wrong_box_format"), ("sides", "bins")

    def boxes(self, raw, points, stride):
        return super().boxes(raw[:, [0, 2, 1, 3]], points, stride)


class HalfSizes(Fault):
    """Sizes halved: subtracted and added a quarter."""

    codes, suits = HALF, ("centres", "px", "logarithms")

    def boxes(self, raw, points, stride):
        low, high = super().boxes(raw, points, stride).chunk(2, 1)
        middle, size = (low + high) / 2, (high - low) / 2
        return torch.cat((middle - size / 2, middle + size / 2), 1)


class WholeSizes(Fault):
    """The whole size to both sides of the centre."""

    codes, suits = HALF, ("normalised", "by name")

    def boxes(self, raw, points, stride):
        low, high = super().boxes(raw, points, stride).chunk(2, 1)
        middle, size = (low + high) / 2, high - low
        return torch.cat((middle - size, middle + size), 1)
