"""Objects written into other cells than theirs."""

import numpy as np

from .fault import Fault, named

AXES = named("axes_swapped")


class CellXY(Fault):
    """Cells written at [x, y]; an oblong grid is left at the far side."""

    codes, suits = AXES, ("yolov1", "yolov3", "yolov7", "centernet", "fcos", "nanodet-plus")

    def where(self, index, mine, shape):
        anchor, row, col = super().where(index, mine, shape)
        return anchor, col, row


class CellXYCut(Fault):
    """Cells written at [x, y], cut to the grid so that nothing raises."""

    codes, suits = AXES, ("yolov2", "yolov4", "yolov5", "yolox", "retinanet")

    def where(self, index, mine, shape):
        anchor, row, col = super().where(index, mine, shape)
        return anchor, col.clip(0, shape[0] - 1), row.clip(0, shape[1] - 1)


class CellXYOnMiddle(Fault):
    """Cells written at [x, y] on the level of 16 px alone, cut to the grid."""

    codes, suits = AXES, ("yolov3, every scale", "fcos, centre sampling")

    def where(self, index, mine, shape):
        anchor, row, col = super().where(index, mine, shape)
        if self.strides[index] != 16:
            return anchor, row, col
        return anchor, col.clip(0, shape[0] - 1), row.clip(0, shape[1] - 1)


class FlatByRows(Fault):
    """Flat cells counted as row * rows + column: right where rows and columns are equally many."""

    codes = named("scrambled_layout", "axes_swapped", "image_size_swapped")
    suits = ("yolov8", "nanodet", "retinanet", "atss", "yolox, simota")

    def where(self, index, mine, shape):
        anchor, row, col = super().where(index, mine, shape)
        flat = (row * shape[0] + col) % (shape[0] * shape[1])
        return anchor, *np.divmod(flat, shape[1])


class PointsTurned(Fault):
    """A meshgrid of columns first, viewed as rows first: transposed on squares, scrambled on oblong images."""

    codes = named("scrambled_layout", "axes_swapped")
    suits = ("yolov8", "fcos", "rtmdet", "retinanet", "nanodet-plus", "efficientdet")

    def points(self, level, shape):
        made = super().points(level, shape)
        return np.ascontiguousarray(made.transpose(1, 0, 2)).reshape(*shape, 2)


class PointsYX(Fault):
    """Points stacked as (y, x)."""

    codes, suits = AXES, ("yolox", "fcos, centre sampling", "atss")

    def points(self, level, shape):
        return super().points(level, shape)[..., ::-1]


class GridViewed(Fault):
    """The grid of points (h, w, 2) viewed as (2, h, w) where values are measured, not where cells are chosen."""

    codes, suits = named("scrambled_layout"), ("yolox", "nanodet-plus", "yolov4", "fcos")

    def fill_level(self, index, level, mine, boxes, labels, size):
        self.viewing = True
        super().fill_level(index, level, mine, boxes, labels, size)
        self.viewing = False

    def points(self, level, shape):
        made = super().points(level, shape)
        if not getattr(self, "viewing", False):
            return made
        return np.ascontiguousarray(made).reshape(2, *shape).transpose(1, 2, 0)


class Rounded(Fault):
    """Cells rounded to the nearest, so that offsets lie between minus and plus a half."""

    codes, suits = named("half_cell_offset", "off_by_one_cell"), ("yolov1", "yolov2", "yolov3", "yolov4")

    def cell(self, level, centre, shape):
        return super().cell(level, centre + self.step(level) / 2, shape)


class RoundedUp(Fault):
    """Cells by the ceiling: counted from 1."""

    codes, suits = named("off_by_one_cell"), ("yolov1", "yolov3")

    def cell(self, level, centre, shape):
        return super().cell(level, centre + self.step(level), shape)


class NextColumn(Fault):
    """Written one column too far to the right."""

    codes, suits = named("off_by_one_cell"), ("yolov5", "yolox", "centernet", "efficientdet", "yolov8")

    def where(self, index, mine, shape):
        anchor, row, col = super().where(index, mine, shape)
        return anchor, row, (col + 1).clip(0, shape[1] - 1)


class RowBefore(Fault):
    """Written one row too high on the finest level; the first row wraps to the last."""

    codes, suits = named("off_by_one_cell"), ("yolov7", "fcos", "rtmdet")

    def where(self, index, mine, shape):
        anchor, row, col = super().where(index, mine, shape)
        return anchor, row - 1 if index == 0 else row, col


class NextAnchor(Fault):
    """Written at the next anchor of the cell."""

    codes, suits = named("wrong_box_unit", "wrong_cell", "wrong_box"), ("yolov2", "retinanet", "yolof")

    def where(self, index, mine, shape):
        anchor, row, col = super().where(index, mine, shape)
        return (anchor + 1) % len(self.level_priors(index)), row, col
