"""Where an encoder puts objects: which map from the image to cells explains the cells that it fills."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from ..layout import TargetLayout

REACH = 1.6
"""Cells around the centre that schemes fill beside it."""


@dataclass(frozen=True)
class CellMap:
    """How the encoder goes from px to cells on one level.

    ``stride`` px; ``swapped``: rows and columns change places; ``rescaled``: height and width of the image are used one
    for the other; ``order``: the flat cell index is read "row", "column" (built column by column, viewed row by row) or
    "height" (row * h + column); ``flipped``: x, y counted from the other side; ``square``: both sides of the image are
    taken for its "longer" or its "shorter" one; ``shift``: (x, y) cells too far; ``fit``: the share of the ``seen``
    objects explained.
    """

    stride: float
    swapped: bool = False
    rescaled: bool = False
    order: str = "row"
    flipped: tuple[bool, bool] = (False, False)
    square: str = ""
    shift: tuple[float, float] = (0.0, 0.0)
    fit: float = 1.0
    seen: int = 0

    @property
    def turned(self) -> bool:
        """Whether rows and columns, or the image's sides, are exchanged."""
        return self.swapped or self.rescaled or bool(self.square)

    def cost(self, stride: float) -> int:
        """How many things are otherwise than on a level that declares ``stride``."""
        return (
            (self.stride != stride)
            + self.swapped
            + self.rescaled
            + (self.order != "row")
            + bool(self.square)
            + sum(self.flipped)
        )

    def codes(self, stride: float) -> dict[str, str]:
        """The faults that this map amounts to on a level that declares ``stride``, each with words."""
        shifts = {abs(value) for value in self.shift}
        found = {
            "axes_swapped": (self.swapped, "cells are filled at (x, y) instead of (y, x)"),
            "wrong_stride": (self.stride != stride, f"cells are found with stride {self.stride:.5g}"),
            "image_size_swapped": (
                self.rescaled or self.order == "height" or bool(self.square),
                f"both sides of the image are taken for its {self.square} one"
                if self.square
                else "cells are found with height and width exchanged",
            ),
            "scrambled_layout": (
                self.order == "column",
                "cells are numbered column by column and viewed row by row",
            ),
            "half_cell_offset": (bool(shifts & {0.5, 1.5}), f"cells lie {self.shift} (x, y) too far"),
            "off_by_one_cell": (bool(shifts & {1.0}), f"cells lie {self.shift} (x, y) too far"),
            "wrong_cell": (any(self.flipped), f"{_flips(self.flipped)} counted from the other side"),
        }
        return {code: words for code, (there, words) in found.items() if there}

    def cells(self, x: Any, y: Any, height: Any, width: Any) -> tuple[Any, Any]:
        """Continuous (row, column) of points in px on an image of height, width; order is left out."""
        x = width - x if self.flipped[0] else x
        y = height - y if self.flipped[1] else y
        u, v = x / self.stride, y / self.stride
        if self.rescaled:
            u, v = u * height / width, v * width / height
        if self.square:
            side = np.maximum(height, width) if self.square == "longer" else np.minimum(height, width)
            u, v = u * width / side, v * height / side
        u, v = u + self.shift[0], v + self.shift[1]
        return (u, v) if self.swapped else (v, u)

    def intended(
        self, rows: Any, columns: Any, shape: tuple[int, int], near: tuple[float, float] | None = None
    ) -> tuple[Any, Any]:
        """The (row, column) that the encoder meant when it wrote to these cells of a grid ``shape`` (h, w).

        ``near``: row and column of the object; of cells that one number may mean the nearest is taken.
        """
        rows, columns = reorder(rows, columns, shape, self.order)
        if self.order == "height" and near is not None:
            rows, columns = _nearest(rows, columns, shape, near)
        if self.swapped:
            rows, columns = columns, rows
        return rows - self.shift[1], columns - self.shift[0]

    def leaves(self, boxes: np.ndarray, image_size: tuple[int, int], shape: tuple[int, int], declared: float) -> bool:
        """Whether a wrong map sends these boxes, or cells around them, beyond a grid of ``shape`` (h, w)."""
        height, width = image_size
        plain = int(height / declared), int(width / declared)
        if not any(self.shift) and self.cost(declared) == 0 and shape == plain:
            return False
        x, y = boxes[:, [0, 2]].reshape(-1), boxes[:, [1, 3]].reshape(-1)
        rows, columns = self.cells(x, y, height, width)
        over = np.concatenate((rows - shape[0], columns - shape[1], -rows, -columns)).max()
        return bool(over > -REACH)


def _flips(flipped: tuple[bool, bool]) -> str:
    return " and ".join(name for name, there in zip("xy", flipped, strict=True) if there) + " is"


def reorder(rows: Any, columns: Any, shape: tuple[int, int], order: str) -> tuple[Any, Any]:
    """Rows and columns of cells that were numbered otherwise than row by row."""
    height, width = shape
    if order == "row":
        return rows, columns
    flat = rows * width + columns
    if order == "column":
        return flat % height, flat // height
    return flat // height, flat % height


def _nearest(rows: Any, columns: Any, shape: tuple[int, int], near: tuple[float, float]) -> tuple[Any, Any]:
    """The same where row * h + column may have gone on from a column beyond h to the next row."""
    height, width = shape
    turns = np.round((near[1] - columns) / height).clip(0, max(-(-width // height) - 1, 0))
    turns = np.minimum(turns, rows)
    return rows - turns, columns + turns * height


@dataclass(frozen=True, eq=False)
class Sighting:
    """One single object on one level: the box (4,), the image, the grid (h, w), its side in px, its cells."""

    box: np.ndarray
    image_size: tuple[int, int]
    grid: tuple[int, int]
    side: float
    rows: np.ndarray
    columns: np.ndarray


@dataclass(frozen=True, eq=False)
class _Table:
    """Sightings as arrays: centres x, y (n,), halves (n,), sizes, grids (n, 2), middles by order (n, 2)."""

    x: np.ndarray
    y: np.ndarray
    half: np.ndarray
    size: np.ndarray
    grid: np.ndarray
    middles: dict[str, np.ndarray]


def _table(seen: Sequence[Sighting]) -> _Table:
    box = np.stack([one.box for one in seen])
    oblong = any(one.image_size[0] != one.image_size[1] for one in seen)
    middles = {}
    for order in ("row", "column", "height") if oblong else ("row",):
        cells = [reorder(one.rows, one.columns, one.grid, order) for one in seen]
        middles[order] = np.array([[rows.mean() + 0.5, columns.mean() + 0.5] for rows, columns in cells])
    return _Table(
        x=(box[:, 0] + box[:, 2]) / 2,
        y=(box[:, 1] + box[:, 3]) / 2,
        half=np.sqrt((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])) / 2,
        size=np.array([one.image_size for one in seen], float),
        grid=np.array([one.grid for one in seen], float),
        middles=middles,
    )


def best_sizes(seen: list[Sighting], asked: dict[float, int], least: float) -> list[Sighting]:
    """Sightings of the smallest sizes that this level takes nearly always; small ones show the place best.

    ``least``: px below which a size says little, as many anchors hold such an object equally well.
    """
    seen = [one for one in seen if one.side >= least] or seen
    sizes = sorted({one.side for one in seen})
    share = {side: sum(one.side == side for one in seen) / max(asked[side], 1) for side in sizes}
    good = [side for side in sizes if share[side] >= 0.75] or [max(sizes, key=lambda side: share[side])]
    chosen = [one for one in seen if one.side in good[:2]]
    if len(chosen) < 12:
        chosen = [one for one in seen if one.side <= good[-1]]
    return chosen


def fit_cells(seen: list[Sighting], stride: float, layout: TargetLayout, prior: CellMap | None = None) -> CellMap:
    """The simplest map under which each object's cells lie around its centre; ``fit`` says how well it does.

    ``prior``: a map found on other levels, whose exchanges are to be expected here.
    """
    table = _table(seen)
    strides = {stride, *layout.strides, stride / 2, stride * 2}
    measured = _measured(np.stack((table.y, table.x), 1), table.middles["row"])
    if measured and all(abs(measured / other - 1) > 0.15 for other in strides):
        strides.add(measured)
    best = _best(table, sorted(strides, key=lambda other: other != stride), ((False, False),), stride, prior)
    if best[2] < 0.8:
        flips = ((True, False), (False, True), (True, True))
        rarer = [_best(table, [stride], flips, stride, prior)]
        if len(table.middles) > 1:
            sides = ("longer", "shorter")
            rarer += [_best(table, [stride], ((False, False),), stride, prior, square=side) for side in sides]
        other = max(rarer, key=lambda found: found[0])
        best = other if other[0] > best[0] + 0.1 else best
    return replace(best[1], fit=best[2], seen=len(seen))


def _best(
    table: _Table, strides: list[float], flips: Sequence, stride: float, prior: CellMap | None, square: str = ""
) -> Any:
    best: Any = None
    usual = (stride, stride / 2, stride * 2, 8, 16, 32, 64, 128)
    turns = (False, True) if len(table.middles) > 1 else (False,)
    for other, swapped, rescaled, order, flipped in product(strides, (False, True), turns, table.middles, flips):
        candidate = CellMap(other, swapped, rescaled, order, flipped, square)
        off, _ = _offsets(table, candidate)
        typical = np.median(off, 0)
        fit = float((np.abs(off - typical).max(1) < 0.8 + 0.5 * table.half / max(other, stride)).mean())
        room = 1.2 if other not in usual else 1.8 + 0.5 * np.median(table.half) / max(other, stride)
        if np.abs(typical).max() > room:
            fit *= 0.5
        scored = fit - 0.05 * np.abs(off - typical).clip(max=4).mean() - 0.06 * candidate.cost(stride)
        scored -= 0.02 * (rescaled or order != "row") + 0.025 * (other not in usual)
        scored -= 0.08 * (other != stride and np.abs(typical).max() > 0.7)  # a shift beside another stride
        if prior:
            same = (swapped, rescaled, order) == (prior.swapped, prior.rescaled, prior.order)
            scored += (0.06 * prior.cost(prior.stride) + 0.15) * same
        if best is None or scored > best[0]:
            best = scored, candidate, fit
    return best


def _offsets(table: _Table, candidate: CellMap) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2): how many cells the middles lie from where the map says; (n,): the cells between object and border."""
    rows, columns = candidate.cells(table.x, table.y, table.size[:, 0], table.size[:, 1])
    bound = table.grid if candidate.order == "row" else np.full_like(table.grid, np.inf)
    rows, columns = rows.clip(0.5, bound[:, 0] - 0.5), columns.clip(0.5, bound[:, 1] - 0.5)
    reach = np.maximum(table.half / candidate.stride, 0)
    room = np.minimum(np.minimum(rows, columns), np.minimum(table.grid[:, 0] - rows, table.grid[:, 1] - columns))
    return table.middles[candidate.order] - np.stack((rows, columns), 1), room - reach


def _measured(centres: np.ndarray, middles: np.ndarray) -> float | None:
    """The stride, a multiple of 4 px, by which cells follow centres (n, 2), from pairs of objects far apart."""
    first, second = np.triu_indices(len(centres), 1)
    apart, cells = centres[first] - centres[second], middles[first] - middles[second]
    far = np.abs(apart) > 0.3 * np.ptp(centres)
    slopes = cells[far] / apart[far]
    slope = np.median(slopes) if len(slopes) >= 12 else 0.0
    return 4.0 * max(round(0.25 / slope), 1) if slope > 1e-3 and 1 / slope >= 1.5 else None


def by_floor(layout: TargetLayout) -> bool:
    """Whether the layout is of schemes that take the cell of the centre: offsets from the cell's corner."""
    return (
        layout.grid_offset == 0 and layout.relative and layout.format in ("cxcywh", "xywh") and layout.unit != "prior"
    )


def shifted(maps: dict[int, CellMap], seen: dict[int, list[Sighting]], layout: TargetLayout) -> dict[int, CellMap]:
    """The maps with how far cells lie off, in halves: what all levels show together, unless one is clearly otherwise.

    Points at corners may lie half a cell before their cell's middle.
    """
    floor = by_floor(layout) or (layout.anchors is not None and layout.unit != "prior" and _alone(seen))
    loose = layout.grid_offset < 0.5 and not floor
    off = {level: _displaced(_table(seen[level]), found) for level, found in maps.items() if found.fit >= 0.7}
    if not off:
        return maps
    sound = [level for level in off if maps[level].stride == layout.strides[level]]
    if not sound or _moved(off, sound, layout):
        return maps
    common = [_common([off[level][:, axis] for level in sound], loose) for axis in range(2)]
    changed, refers = dict(maps), layout.relative or layout.format == "ltrb"
    for level, values in off.items():
        plain = level in sound
        own = [_own(values[:, axis], common[axis], loose, refers) if plain else common[axis] for axis in range(2)]
        changed[level] = replace(maps[level], shift=(own[0], own[1]))
    return changed


def _moved(off: dict[int, np.ndarray], sound: list[int], layout: TargetLayout) -> bool:
    """Whether all levels lie off by the same number of px: then boxes are moved, and no cells."""
    cells = np.array([off[level].mean(0) for level in sound if len(off[level]) >= 8])
    if len(cells) < 2:
        return False
    px = cells * np.array([layout.strides[level] for level in sound if len(off[level]) >= 8])[:, None]
    axis = int(np.abs(px).mean(0).argmax())
    return bool(np.abs(px[:, axis]).min() > 2 and np.ptp(px[:, axis]) < 0.35 * np.abs(px[:, axis].mean()))


def _displaced(table: _Table, found: CellMap) -> np.ndarray:
    """(m, 2): how far cells lie too far in x and y, of objects clear of the borders."""
    off, room = _offsets(table, found)
    clear = room >= 1.0 if (room >= 1.0).sum() >= 8 else room >= 0
    return off[clear] if found.swapped else off[clear][:, ::-1]


def _alone(seen: dict[int, list[Sighting]]) -> bool:
    """Whether every object fills one cell, as where the cell of the centre is taken."""
    return all(
        len({*zip(one.rows.tolist(), one.columns.tolist(), strict=True)}) == 1 for s in seen.values() for one in s
    )


def _common(levels: Sequence[np.ndarray], loose: bool) -> float:
    """The shift of the levels that lie off by about as much as half of them do."""
    means = [values.mean() if len(values) else np.nan for values in levels]
    middle = np.nanmedian(means) if np.isfinite(means).any() else 0.0
    alike = [values for values, mean in zip(levels, means, strict=True) if abs(mean - middle) < 0.4]
    return _shift(np.concatenate(alike), loose) if alike else 0.0


def _own(values: np.ndarray, common: float, loose: bool, refers: bool) -> float:
    """A level's own shift where it is clearly another; half a cell only where boxes refer to cells, and evenly.

    Assigners that follow a network's predictions may favour one side of the centre on a level.
    """
    if len(values) < 8 or abs(values.mean() - common) < 0.3:
        return common
    found = _shift(values, loose)
    half = (found - common) % 1 != 0
    even = values.std() < 0.3 and abs(values.mean() - found) < 0.12
    return common if half and not (refers and even) else found


def _whole(mean: float, error: float) -> float:
    """One cell where points at corners lie beyond what they may: up to half a cell before their cell's middle."""
    off = next((step for step in (1.0, -1.0) if -0.2 < mean - step < 0.7), 0.0)
    return off if mean < -0.3 - error or mean > 0.8 + error else 0.0


def _shift(values: np.ndarray, loose: bool) -> float:
    """The mean displacement in cells, rounded to halves where it is one beyond doubt."""
    if len(values) < 6:
        return 0.0
    mean, error = values.mean(), values.std() / np.sqrt(len(values))
    if loose:
        return _whole(mean, error) if values.std() < 0.75 else 0.0
    nearest = round(2 * mean) / 2
    sure = (
        values.std() < 0.75
        and nearest != 0
        and abs(mean - nearest) < 0.2
        and abs(mean) > 0.3 + error
        and abs(nearest) <= 1.5
    )
    return float(nearest) if sure else 0.0
