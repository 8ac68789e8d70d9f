"""FCOS (arXiv 1904.01355) and CenterNet (1904.07850): objects by reach, and objects as peaks."""

import numpy as np

from .base import Claims
from .free import PointEncoder
from .geometry import centres, distances, sides


class FCOS(PointEncoder):
    """P3 to P7; the points inside a box, on the level of its reach; the smallest object wins. Class numbers."""

    name = "fcos"
    strides = (8, 16, 32, 64, 128)
    class_channels: tuple[int, ...] = (4,)
    form, class_values, background = "ltrb", "ids", 6.0
    axes = "LNC"
    REACH = (0, 64, 128, 256, 512, np.inf)  # px
    radius: float | None = None

    def reach(self, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Between which px (N,) the farthest side of an object may lie from a point of these levels (N,)."""
        return np.array(self.REACH)[level], np.array(self.REACH)[level + 1]

    def claims(self, boxes, labels, size):
        points, level, inner = self.all_points(size)
        outward = distances(points, boxes)
        low, high = self.reach(level)
        far = outward.max(2)
        wanted = (outward.min(2) > 0) & (far > low[:, None]) & (far <= high[:, None])
        if self.radius is not None:
            away = np.abs(points[:, None] - centres(boxes)[None]).max(2)
            wanted &= away < self.radius * self.spans(level)[:, None]
        return self.claimed(wanted, level, inner, size)

    def values(self, boxes, points, stride, size, priors):
        return np.concatenate((points - boxes[:, :2], boxes[:, 2:] - points), 1)


class FCOSCentre(FCOS):
    """The same with centre sampling, one-hot classes, centerness, distances in strides."""

    name = "fcos, centre sampling"
    objectness, class_channels = 4, tuple(range(5, 11))
    unit, class_values, background, objectness_values = "stride", "one_hot", 0.0, "soft"
    axes, radius = "CHW", 1.5

    def values(self, boxes, points, stride, size, priors):
        return super().values(boxes, points, stride, size, priors) / stride

    def presence(self, score, values):
        near = np.minimum(values[:, :2], values[:, 2:]).clip(0)
        far = np.maximum(values[:, :2], values[:, 2:]).clip(1e-9)
        return np.sqrt((near / far).prod(1)).clip(0.01, 1)


class CenterNet(PointEncoder):
    """One level of 4 px: a Gaussian round each centre's cell, the box at its peak alone."""

    name = "centernet"
    strides, grid_offset = (4,), 0.0
    unit, relative, class_values, as_torch = "stride", True, "gaussian", False

    def claims(self, boxes, labels, size):
        rows, cols = self.shapes(size)[0]
        place = np.floor(centres(boxes) / self.step(0)).astype(np.int64)
        return Claims.of(0, place[:, 1].clip(0, rows - 1), place[:, 0].clip(0, cols - 1), 0, np.arange(len(boxes)))

    def fill(self, levels, claims, boxes, labels, size):
        super().fill(levels, claims, boxes, labels, size)
        row, col = self.where(0, claims, levels[0].shape[1:3])[1:]
        for i, thing in enumerate(claims.thing):
            extent = np.maximum(1, sides(boxes[thing : thing + 1])[0] / self.step(0))
            self.splat(levels[0][0, :, :, self.class_channels[labels[thing]]], row[i], col[i], radius(*extent))

    def splat(self, heat: np.ndarray, row: int, col: int, reach: int) -> None:
        """Raise the heat (h, w) to a Gaussian that ends ``reach`` cells from its peak."""
        y = np.arange(max(0, row - reach), min(heat.shape[0], row + reach + 1))
        x = np.arange(max(0, col - reach), min(heat.shape[1], col + reach + 1))
        sigma = (2 * reach + 1) / 6
        bell = np.exp(-((y[:, None] - row) ** 2 + (x[None] - col) ** 2) / (2 * sigma**2))
        part = heat[y[0] : y[-1] + 1, x[0] : x[-1] + 1]
        np.maximum(part, bell, out=part)

    def values(self, boxes, points, stride, size, priors):
        return np.concatenate(((centres(boxes) - points) / stride, sides(boxes) / stride), 1)

    def mark(self, level, at, labels, score, values):
        level[(*at, np.array(self.class_channels)[labels])] = 1


def radius(width: float, height: float, least: float = 0.7) -> int:
    """The largest shift in cells of both corners that leaves an IoU of ``least`` (CornerNet, arXiv 1808.01244)."""
    total, area = width + height, width * height
    apart = (total - np.sqrt(total**2 - 4 * area * (1 - least) / (1 + least))) / 2
    inner = (2 * total - np.sqrt(4 * total**2 - 16 * (1 - least) * area)) / 8
    outer = (-2 * least * total + np.sqrt(4 * least**2 * total**2 + 16 * least * (1 - least) * area)) / (8 * least)
    return max(0, int(min(apart, inner, outer)))
