"""By how many cells objects lie off, in halves: on all levels, or on one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..layout import TargetLayout
from .cell_map import CellMap
from .placing import Sighting, Table, offsets


def by_floor(layout: TargetLayout) -> bool:
    """Whether the layout is of schemes that take the cell of the centre: offsets from the cell's corner."""
    return (
        layout.grid_offset == 0 and layout.relative and layout.format in ("cxcywh", "xywh") and layout.unit != "prior"
    )


def shifted(
    maps: dict[int, CellMap], seen: dict[int, list[Sighting]], tables: dict[int, Table], layout: TargetLayout
) -> dict[int, CellMap]:
    """The maps with how far cells lie off, in halves: what all levels show together, unless one is clearly otherwise.

    Points at corners may lie half a cell before their cell's middle.
    """
    floor = by_floor(layout) or (layout.anchors is not None and layout.unit != "prior" and _alone(seen))
    loose = layout.grid_offset < 0.5 and not floor
    off = {level: _displaced(tables[level], found) for level, found in maps.items() if found.fit >= 0.7}
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


def _displaced(table: Table, found: CellMap) -> np.ndarray:
    """(m, 2): how far cells lie too far in x and y, of objects clear of the borders."""
    off, room = offsets(table, found)
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
