"""Where an encoder puts objects: which map from the image to cells explains the cells that it fills."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from ..layout import TargetLayout
from .cell_map import CellMap, reorder


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
class Table:
    """Sightings as arrays: centres x, y (n,), halves (n,), sizes, grids (n, 2), middles by order (n, 2).

    ``clear`` (n,) bool: those that fill no outermost cell, so that no border cuts them.
    """

    x: np.ndarray
    y: np.ndarray
    half: np.ndarray
    size: np.ndarray
    grid: np.ndarray
    middles: dict[str, np.ndarray]
    clear: np.ndarray


def as_table(seen: Sequence[Sighting]) -> Table:
    box = np.stack([one.box for one in seen])
    oblong = any(one.image_size[0] != one.image_size[1] for one in seen)
    middles = {}
    for order in ("row", "column", "height") if oblong else ("row",):
        cells = [reorder(one.rows, one.columns, one.grid, order) for one in seen]
        middles[order] = np.array([[rows.mean() + 0.5, columns.mean() + 0.5] for rows, columns in cells])
    return Table(
        x=(box[:, 0] + box[:, 2]) / 2,
        y=(box[:, 1] + box[:, 3]) / 2,
        half=np.sqrt((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])) / 2,
        size=np.array([one.image_size for one in seen], float),
        grid=np.array([one.grid for one in seen], float),
        middles=middles,
        clear=np.array([_clear(one) for one in seen]),
    )


def _clear(one: Sighting) -> bool:
    rows, columns = one.grid
    within = min(one.rows.min(), one.columns.min()) > 0
    return bool(within and one.rows.max() < rows - 1 and one.columns.max() < columns - 1)


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


def fit_cells(table: Table, stride: float, layout: TargetLayout, prior: CellMap | None = None) -> CellMap:
    """The simplest map under which each object's cells lie around its centre; ``fit`` says how well it does.

    ``prior``: a map found on other levels, whose exchanges are to be expected here.
    """
    strides = {stride, *layout.strides, stride / 2, stride * 2}
    measured = _measured(np.stack((table.y, table.x), 1)[table.clear], table.middles["row"][table.clear])
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
    return replace(best[1], fit=best[2], seen=len(table.x))


def _best(
    table: Table, strides: list[float], flips: Sequence, stride: float, prior: CellMap | None, square: str = ""
) -> Any:
    best: Any = None
    half = np.median(table.half)
    usual = (stride, stride / 2, stride * 2, 8, 16, 32, 64, 128)
    turns = (False, True) if len(table.middles) > 1 else (False,)
    for other, swapped, rescaled, order, flipped in product(strides, (False, True), turns, table.middles, flips):
        candidate = CellMap(other, swapped, rescaled, order, flipped, square)
        off, _ = offsets(table, candidate)
        typical = np.median(off, 0)
        fit = float((np.abs(off - typical).max(1) < 0.8 + 0.5 * table.half / max(other, stride)).mean())
        room = 1.2 if other not in usual else 1.8 + 0.5 * half / max(other, stride)
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


def offsets(table: Table, candidate: CellMap) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2): how many cells the middles lie from where the map says; (n,): the cells between object and border."""
    rows, columns = candidate.cells(table.x, table.y, table.size[:, 0], table.size[:, 1])
    bound = table.grid if candidate.order == "row" else np.full_like(table.grid, np.inf)
    rows, columns = rows.clip(0.5, bound[:, 0] - 0.5), columns.clip(0.5, bound[:, 1] - 0.5)
    reach = np.maximum(table.half / candidate.stride, 0)
    room = np.minimum(np.minimum(rows, columns), np.minimum(table.grid[:, 0] - rows, table.grid[:, 1] - columns))
    return table.middles[candidate.order] - np.stack((rows, columns), 1), room - reach


def _measured(centres: np.ndarray, middles: np.ndarray) -> float | None:
    """The stride, a multiple of 4 px, by which cells follow centres (n, 2), from pairs of objects far apart."""
    if len(centres) < 6:
        return None
    first, second = np.triu_indices(len(centres), 1)
    apart, cells = centres[first] - centres[second], middles[first] - middles[second]
    far = np.abs(apart) > 0.3 * np.ptp(centres)
    slopes = cells[far] / apart[far]
    slope = np.median(slopes) if len(slopes) >= 12 else 0.0
    return 4.0 * max(round(0.25 / slope), 1) if slope > 1e-3 and 1 / slope >= 1.5 else None
