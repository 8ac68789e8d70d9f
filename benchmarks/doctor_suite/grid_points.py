"""Faults of grids in the points, strides and order by which boxes are decoded or levels declared."""

import torch
from torch import Tensor

from .faults.fault import named
from .grids import Watcher

SCRAMBLED, TURNED = named("scrambled_layout"), named("scrambled_layout", "axes_swapped")


def nudged(x: float, y: float, only: int | None = None) -> type[Watcher]:
    """Boxes decoded from points that lie some cells beside their place."""

    class Nudged(Watcher):
        def points(self, level: int, shape: tuple[int, int]) -> Tensor:
            away = torch.tensor([[x], [y]]) * self.step(level)
            return super().points(level, shape) + away * (only in (None, level))

    return Nudged


class PointsYX(Watcher):
    def points(self, level, shape):
        return super().points(level, shape).flip(0)


class PointsTurned(Watcher):
    def points(self, level, shape):
        return super().points(level, shape).view(2, *shape).transpose(1, 2).flatten(1)


class PointsByRows(Watcher):
    def points(self, level, shape):
        flat = torch.arange(shape[0] * shape[1])
        return (torch.stack((flat % shape[0], flat // shape[0])) + self.offset) * self.step(level)


class PointsViewed(Watcher):
    def points(self, level, shape):
        return super().points(level, shape).T.reshape(2, -1)


class PointsByWrongSide(Watcher):
    def points(self, level, shape):
        ratio = torch.tensor([[shape[0] / shape[1]], [shape[1] / shape[0]]])
        return super().points(level, shape) * ratio


class PointsMirrored(Watcher):
    def points(self, level, shape):
        x, y = super().points(level, shape)
        return torch.stack((shape[1] * self.step(level) - x, y))


class DoubleStride(Watcher):
    def step(self, level):
        return 2 * super().step(level)


class StridesTurned(Watcher):
    def step(self, level):
        return self.strides[::-1][level]


class DeclaredDouble(Watcher):
    def declared_strides(self):
        return (*self.strides[:-1], 2 * self.strides[-1])


class DeclaredTurned(Watcher):
    def declared_strides(self):
        return self.strides[::-1]


DECODED = (
    ("points half a cell back", nudged(-0.5, -0.5), named("half_cell_offset"), "distances"),
    ("points half a cell further, finest level", nudged(0.5, 0.5, 0), named("half_cell_offset"), "bins"),
    ("points half a cell down", nudged(0, 0.5), named("half_cell_offset"), "three levels"),
    ("points a cell further", nudged(1, 1), named("off_by_one_cell"), "distances"),
    ("points a column back, second level", nudged(-1, 0, 1), named("off_by_one_cell"), "two anchors a cell"),
    ("points as (y, x)", PointsYX, named("axes_swapped"), "distances"),
    ("points as (y, x)", PointsYX, named("axes_swapped"), "centre and size"),
    ("points counted down the columns", PointsTurned, TURNED, "three levels"),
    ("points by rows for columns", PointsByRows, TURNED | {"image_size_swapped"}, "distances"),
    ("points viewed as (2, n)", PointsViewed, SCRAMBLED, "bins"),
    ("points by the wrong side", PointsByWrongSide, named("image_size_swapped", "wrong_stride"), "distances"),
    ("points from the right", PointsMirrored, SCRAMBLED, "wide sight"),
    ("decoded with twice the stride", DoubleStride, named("wrong_stride"), "distances"),
    ("decoded with the other level's stride", StridesTurned, named("levels_reversed", "wrong_stride"), "bins"),
    ("coarsest stride declared twice too large", DeclaredDouble, named("wrong_stride"), "three levels"),
    ("strides declared from coarse to fine", DeclaredTurned, named("levels_reversed"), "three levels"),
    ("strides declared from coarse to fine", DeclaredTurned, named("levels_reversed"), "two anchors a cell"),
)

PAIRS = (
    ("distances", "points half a cell back", "boxes", "viewed as (h, w, 4)", 1),
    ("three levels", "coarsest stride declared twice too large", "boxes", "mirrored", 0),
    ("bins", "points half a cell further, finest level", "boxes", "rolled a row up", 1),
    ("distances", "points as (y, x)", "classes", "mirrored", 0),
)
