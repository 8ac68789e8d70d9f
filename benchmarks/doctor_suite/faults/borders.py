"""Cells by the wrong side of the image, beyond the grid, or of an image that was turned or padded."""

import numpy as np

from .fault import Fault, named


class CellBySwappedSize(Fault):
    """Cells from normalised centres times the grid, rows and columns exchanged: right on squares."""

    codes, suits = named("image_size_swapped"), ("yolov1", "yolov3", "yolov5", "yolov2")

    def claims(self, boxes, labels, size):
        self.size = size
        return super().claims(boxes, labels, size)

    def cell(self, level, centre, shape):
        return super().cell(level, centre * (self.size[0] / self.size[1], self.size[1] / self.size[0]), shape)


class CellByLongSide(Fault):
    """Cells from centres over the longer side times the grid, as if every image were square."""

    codes, suits = named("image_size_swapped", "wrong_stride"), ("yolov3", "yolov4")

    def claims(self, boxes, labels, size):
        self.size = size
        return super().claims(boxes, labels, size)

    def cell(self, level, centre, shape):
        return super().cell(level, centre * (self.size[1] / max(self.size), self.size[0] / max(self.size)), shape)


class NoEdge(Fault):
    """Cells are not cut to the grid: negative ones wrap, too large ones raise."""

    codes, suits = named("edge_crash"), ("yolov1", "yolov3", "yolov3, every scale")

    def cell(self, level, centre, shape):
        place = np.floor(centre / self.step(level)).astype(np.int64)
        return place[:, 1], place[:, 0]


class NeighboursUnchecked(Fault):
    """Neighbours beyond the grid are not left out: they wrap at the near side, and raise at the far one."""

    codes, suits = named("edge_crash"), ("yolov5", "yolov7")

    @staticmethod
    def on_grid(row, col, shape):
        return np.ones(len(row), dtype=bool)


class YFromBottom(Fault):
    """y counted from the bottom of the image, as plots have it."""

    codes, suits = named("wrong_cell", "wrong_box"), ("yolov8", "yolov3")

    def read(self, boxes, labels, size):
        boxes, labels, size = super().read(boxes, labels, size)
        return np.stack((boxes[:, 0], size[0] - boxes[:, 3], boxes[:, 2], size[0] - boxes[:, 1]), 1), labels, size


class LetterboxTwice(Fault):
    """The padding to a square added to boxes that are in the padded image already: right on squares."""

    codes, suits = named("wrong_cell", "wrong_box"), ("yolox", "yolov5")

    def read(self, boxes, labels, size):
        boxes, labels, size = super().read(boxes, labels, size)
        pad = (max(size) - np.array([size[1], size[0]])) / 2
        return boxes + np.tile(pad, 2), labels, size
