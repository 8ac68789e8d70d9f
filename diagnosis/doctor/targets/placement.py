"""Where an encoder puts objects: which map from image to cells explains the cells that it fills."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..layout import TargetLayout
from .answers import Answer, Spots

REACH = 1.6
"""Cells around the centre that schemes fill beside it."""


@dataclass(frozen=True)
class CellMap:
    """How the encoder goes from px to cells on one level.

    ``stride`` px; ``swapped``: rows and columns change places; ``rescaled``: height and width of the image are used one
    for the other; ``order``: the flat cell index is read "row", "column" (built column by column, viewed row by row) or
    "height" (row * h + column); ``shift``: (x, y) cells too far; ``fit``: the share of objects explained.
    """

    stride: float
    swapped: bool = False
    rescaled: bool = False
    order: str = "row"
    shift: tuple[float, float] = (0.0, 0.0)
    fit: float = 1.0
    seen: int = 0

    def cost(self, stride: float) -> int:
        """How many things are otherwise than on a level that declares ``stride``."""
        return (self.stride != stride) + self.swapped + self.rescaled + (self.order != "row")

    def codes(self, stride: float) -> tuple[str, ...]:
        """The faults that this map amounts to on a level that declares ``stride``."""
        shifts = {abs(value) for value in self.shift}
        named = {
            "axes_swapped": self.swapped,
            "wrong_stride": self.stride != stride,
            "image_size_swapped": self.rescaled or self.order == "height",
            "scrambled_layout": self.order == "column",
            "half_cell_offset": bool(shifts & {0.5, 1.5}),
            "off_by_one_cell": bool(shifts & {1.0}),
        }
        return tuple(code for code, there in named.items() if there)

    def cells(self, x: Any, y: Any, height: Any, width: Any) -> tuple[Any, Any]:
        """Continuous (row, column) of points in px on an image of height, width; order is left out."""
        u, v = x / self.stride, y / self.stride
        if self.rescaled:
            u, v = u * height / width, v * width / height
        u, v = u + self.shift[0], v + self.shift[1]
        return (u, v) if self.swapped else (v, u)

    def intended(self, rows: Any, columns: Any, shape: tuple[int, int]) -> tuple[Any, Any]:
        """The (row, column) that the encoder meant when it wrote to these cells of a grid ``shape`` (h, w)."""
        rows, columns = reorder(rows, columns, shape, self.order)
        if self.swapped:
            rows, columns = columns, rows
        return rows - self.shift[1], columns - self.shift[0]

    def leaves(self, boxes: np.ndarray, image_size: tuple[int, int], shape: tuple[int, int], declared: float) -> bool:
        """Whether a wrong map sends these boxes, or cells around them, beyond a grid of ``shape`` (h, w)."""
        if not any(self.shift) and self.cost(declared) == 0 and shape == plain_grid(image_size, declared):
            return False
        height, width = image_size
        x, y = boxes[:, [0, 2]].reshape(-1), boxes[:, [1, 3]].reshape(-1)
        rows, columns = self.cells(x, y, height, width)
        over = np.concatenate((rows - shape[0], columns - shape[1], -rows, -columns)).max()
        return bool(over > -REACH)


def plain_grid(image_size: tuple[int, int], stride: float) -> tuple[int, int]:
    """Rows and columns of the grid of an image (height, width)."""
    return int(image_size[0] / stride), int(image_size[1] / stride)


def reorder(rows: Any, columns: Any, shape: tuple[int, int], order: str) -> tuple[Any, Any]:
    """Rows and columns of cells that were numbered otherwise than row by row."""
    height, width = shape
    if order == "row":
        return rows, columns
    flat = rows * width + columns
    if order == "column":
        return flat % height, flat // height
    return flat // height, flat % height


@dataclass(frozen=True, eq=False)
class Seen:
    """One single object on one level: the box (4,), the image, the grid (h, w), and its cells."""

    box: np.ndarray
    image_size: tuple[int, int]
    grid: tuple[int, int]
    side: float
    spots: Spots


def sightings(answers: Sequence[Answer], spots: dict, level: int, boxes: Callable) -> list[Seen]:
    """``boxes(probe)``: its boxes as the encoder sees them."""
    found = []
    for index, answer in enumerate(answers):
        if answer.error is None and answer.probe.kind == "place" and len(spots[index, level]):
            grid = answer.levels[level].shape[1:]
            found.append(
                Seen(boxes(answer.probe)[0], answer.probe.image_size, grid, answer.probe.side, spots[index, level])
            )
    return found


def best_sizes(seen: list[Seen], asked: dict[float, int]) -> list[Seen]:
    """Sightings of the smallest sizes that this level takes nearly always; small ones show the place best."""
    sizes = sorted({one.side for one in seen})
    share = {side: sum(one.side == side for one in seen) / max(asked[side], 1) for side in sizes}
    good = [side for side in sizes if share[side] >= 0.75] or [max(sizes, key=lambda side: share[side])]
    chosen = [one for one in seen if one.side in good[:2]]
    if len(chosen) < 12:
        chosen = [one for one in seen if one.side <= good[-1]]
    return chosen


def fit_cells(seen: list[Seen], stride: float, layout: TargetLayout, prior: CellMap | None = None) -> CellMap:
    """The simplest map under which each object's cells lie around its centre; ``fit`` says how well it does.

    ``prior``: a map found on other levels, whose exchanges are to be expected here.
    """
    oblong = any(one.image_size[0] != one.image_size[1] for one in seen)
    orders = ("row", "column", "height") if oblong else ("row",)
    box = np.stack([one.box for one in seen])
    size = np.array([one.image_size for one in seen], float)
    grid = np.array([one.grid for one in seen], float)
    x, y = (box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2
    middles = {}
    for order in orders:
        cells = [reorder(one.spots.rows, one.spots.columns, one.grid, order) for one in seen]
        middles[order] = np.array([[rows.mean() + 0.5, columns.mean() + 0.5] for rows, columns in cells])
    half = np.sqrt((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])) / 2
    strides = {stride, *layout.strides, stride / 2, stride * 2}
    measured = _measured(np.stack((y, x), 1), middles["row"])
    if measured and all(abs(measured / other - 1) > 0.15 for other in strides):
        strides.add(measured)
    strides = sorted(strides, key=lambda other: other != stride)
    best: Any = None
    for other, swapped, rescaled, order in product(
        strides, (False, True), (False, True) if oblong else (False,), orders
    ):
        candidate = CellMap(other, swapped, rescaled, order)
        rows, columns = candidate.cells(x, y, size[:, 0], size[:, 1])
        bound = grid if order == "row" else np.full_like(grid, np.inf)
        rows, columns = rows.clip(0.5, bound[:, 0] - 0.5), columns.clip(0.5, bound[:, 1] - 0.5)
        off = middles[order] - np.stack((rows, columns), 1)
        typical = np.median(off, 0)
        near = np.abs(off - typical).max(1) < 0.8 + 0.5 * half / max(other, stride)
        fit = float(near.mean())
        if np.abs(typical).max() > 1.8 + 0.5 * np.median(half) / max(other, stride):
            fit *= 0.5
        scored = fit - 0.05 * np.abs(off - typical).clip(max=4).mean() - 0.06 * candidate.cost(stride)
        scored -= 0.02 * (rescaled or order != "row")
        if prior:
            same = (swapped, rescaled, order) == (prior.swapped, prior.rescaled, prior.order)
            scored += (0.06 * prior.cost(prior.stride) + 0.15) * same
        if best is None or scored > best[0]:
            best = scored, candidate, fit, off, near, (rows, columns)
    _, chosen, fit, off, near, (rows, columns) = best
    reach = half / chosen.stride
    whole = near & (np.minimum(rows, columns) >= reach) & (np.minimum(grid[:, 0] - rows, grid[:, 1] - columns) >= reach)
    clear = whole & (np.minimum(rows, columns) > 1.6) & (np.minimum(grid[:, 0] - rows, grid[:, 1] - columns) > 1.6)
    shift = _shift(off[clear] if clear.sum() >= 8 else off[whole])
    if chosen.swapped:
        shift = shift[::-1]
    return CellMap(chosen.stride, chosen.swapped, chosen.rescaled, chosen.order, (shift[1], shift[0]), fit, len(seen))


def _measured(centres: np.ndarray, middles: np.ndarray) -> float | None:
    """The stride, a multiple of 4 px, by which cells follow centres (n, 2), from pairs of objects far apart."""
    first, second = np.triu_indices(len(centres), 1)
    apart, cells = centres[first] - centres[second], middles[first] - middles[second]
    far = np.abs(apart) > 0.3 * np.ptp(centres)
    slopes = cells[far] / apart[far]
    slope = np.median(slopes) if len(slopes) >= 12 else 0.0
    return 4.0 * max(round(0.25 / slope), 1) if slope > 1e-3 and 1 / slope >= 1.5 else None


def _shift(off: np.ndarray) -> tuple[float, float]:
    """The mean displacement in cells, rounded to halves where it is one beyond doubt; (rows, columns)."""
    found = []
    for axis in range(2):
        values = off[:, axis]
        if len(values) < 6:
            found.append(0.0)
            continue
        mean, error = values.mean(), values.std() / np.sqrt(len(values))
        nearest = round(2 * mean) / 2
        sure = nearest != 0 and abs(mean - nearest) < 0.2 and abs(mean) > 0.3 + error and abs(nearest) <= 1.5
        found.append(float(nearest) if sure else 0.0)
    return found[0], found[1]
