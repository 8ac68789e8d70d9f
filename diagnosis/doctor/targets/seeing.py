"""Which cells of a level hold an object, and what stands in them; and the storage under which that makes most sense."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..layout import TargetLayout
from ..orders import Storage, storages
from ..storage import order
from .asking import Answer, Memory

PICKED = 40
GAIN = 1e-6


@dataclass(frozen=True, eq=False)
class Seen:
    """The k cells of one level that hold an object.

    ``anchors``, ``rows``, ``columns`` (k,); ``classed``, ``chanced``, ``boxed`` (k,) bool: which of class, objectness
    and box channels were written; ``picked`` (m,): indices of a sample of them, ``values``, ``ground`` (m, C): all
    channels of these, and what they hold on an empty image.
    """

    anchors: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    classed: np.ndarray
    chanced: np.ndarray
    boxed: np.ndarray
    picked: np.ndarray
    values: np.ndarray
    ground: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def core(self) -> np.ndarray:
        """(k,) bool: the cells that have a box beside class or objectness; all where none has."""
        both = self.boxed & (self.classed | self.chanced)
        return both if both.any() else np.ones(len(self), bool)

    def cells(self) -> set[tuple[int, int, int]]:
        """(anchor, row, column) of each."""
        return set(zip(self.anchors.tolist(), self.rows.tolist(), self.columns.tolist(), strict=True))


def roles(layout: TargetLayout, channels: int) -> np.ndarray:
    """(C,): 1 for box channels, 2 for objectness, 3 for classes, else 0."""
    return _roles(tuple(layout.box), layout.class_channels, layout.objectness, channels)


@lru_cache
def _roles(box: tuple[int, ...], classes: tuple[int, ...], objectness: int | None, channels: int) -> np.ndarray:
    found = np.zeros(channels, int)
    found[list(box)] = 1
    found[list(classes)] = 3
    if objectness is not None:
        found[objectness] = 2
    found.flags.writeable = False
    return found


@lru_cache(4096)
def spread(count: int, most: int) -> np.ndarray:
    """Indices of at most so many of ``count`` things, evenly from the first to the last."""
    found = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))
    found.flags.writeable = False
    return found


def evidence(layout: TargetLayout, role: np.ndarray, value: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """(n,) bool: the entries that say that an object is here."""
    gain = value - ground > GAIN
    said = gain & (role >= 2)
    if layout.class_values == "ids":
        said = np.where(role == 3, np.abs(value - ground) > GAIN, said)
    if layout.class_values == "gaussian":
        said = np.where(role == 3, value > 1 - 1e-4, said) | (role == 1)
    return said if layout.ignore is None else said & ~((value == layout.ignore) & (role >= 2))


def see(memory: Memory, layout: TargetLayout, storage: Storage, *, by_box: bool = False) -> Seen:
    """The cells of one level that hold an object; ``by_box``: all those whose box channels were written."""
    shape, dims = memory.shape, order(layout)
    at = storage.unravel(memory.index, shape, dims)
    role = roles(layout, shape["C"])[at["C"]]
    cell = (at["A"] * shape["H"] + at["H"]) * shape["W"] + at["W"]
    said = evidence(layout, role, memory.value, memory.ground[memory.index])
    said = (said | (role == 1)) if by_box else said
    total = shape["A"] * shape["H"] * shape["W"]
    cells = np.flatnonzero(_marked(total, cell[said]))
    held = [_marked(total, cell[said & (role == kind)])[cells] for kind in (3, 2)]
    boxed = _marked(total, cell[role == 1])[cells]
    a, rest = np.divmod(cells, shape["H"] * shape["W"])
    rows, columns = np.divmod(rest, shape["W"])
    picked = spread(len(cells), PICKED)
    values, ground = gather(memory, storage, dims, a[picked], rows[picked], columns[picked])
    return Seen(
        anchors=a,
        rows=rows,
        columns=columns,
        classed=held[0],
        chanced=held[1],
        boxed=boxed,
        picked=picked,
        values=values,
        ground=ground,
    )


def _marked(total: int, cells: np.ndarray) -> np.ndarray:
    """(total,) bool: a level's cells that are among these."""
    found = np.zeros(total, bool)
    found[cells] = True
    return found


def gather(
    memory: Memory, storage: Storage, dims: str, a: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(m, C) values of all channels of m cells, and what they hold on an empty image."""
    channels = np.arange(memory.shape["C"])
    at = {"A": a[:, None], "C": channels[None], "H": rows[:, None], "W": columns[:, None]}
    flat = storage.ravel(at, memory.shape, dims)
    ground = memory.ground[flat].astype(np.float64)
    values = ground.copy()
    if len(memory.index) and len(a):
        where = np.searchsorted(memory.index, flat).clip(max=len(memory.index) - 1)
        hit = memory.index[where] == flat
        values[hit] = memory.value[where[hit]]
    return values, ground


def best_storage(answers: Sequence[Answer], layout: TargetLayout, level: int) -> Storage:
    """The declared storage, unless another makes much more sense of what was written on this level."""
    singles = [a for a in answers if a.error is None and len(a.probe.boxes) == 1 and len(a.levels[level].index)]
    singles = [a for a in singles if len(a.levels[level].index) < 60_000]
    chosen = singles[:: max(len(singles) // 30, 1)]
    if len(chosen) < 4:
        return Storage(order(layout))
    options = storages(layout, chosen[0].levels[level].shape["C"])
    plain = _sense(chosen, layout, level, options[0])
    if plain > 0.72:  # objects of coarse grids lie near where they are under many orders
        return options[0]
    scored = [(_sense(chosen, layout, level, option), option) for option in options[1:]]
    best = max(scored, key=lambda pair: pair[0])
    return best[1] if best[0] > plain + 0.25 else options[0]


def sense(answers: Sequence[Answer], layout: TargetLayout) -> float:
    """How much sense the declared storage makes, over the levels that anything was written on."""
    storage, found = Storage(order(layout)), []
    for level in range(len(layout.strides)):
        singles = [a for a in answers if a.error is None and a.probe.kind == "place" and len(a.levels[level].index)]
        if len(singles) >= 4:
            found.append(_sense(singles[:: max(len(singles) // 20, 1)], layout, level, storage))
    return float(np.mean(found)) if found else 0.0


def _sense(answers: Sequence[Answer], layout: TargetLayout, level: int, storage: Storage) -> float:
    """The share of written cells that hold all of an object, times that of the objects found where they are."""
    whole, plain, turned = [], [], []
    for answer in answers:
        memory = answer.levels[level]
        together, rows, columns = _together(memory, layout, storage)
        whole.append(together)
        if not len(rows):
            continue
        (x1, y1, x2, y2), stride = answer.probe.boxes[0] / layout.strides[level], layout.strides[level]
        seen = np.array([np.median(columns), np.median(rows)]) + 0.5
        centre, half = np.array([x1 + x2, y1 + y2]) / 2, np.array([x2 - x1, y2 - y1]) / 2 + 2
        plain.append((np.abs(seen - centre) < half).all())
        turned.append((np.abs(seen[::-1] - centre) < half).all())
        del stride
    placed = max(np.mean(plain), np.mean(turned)) if plain else 0.0
    return float(np.mean(whole) * (0.4 + 0.6 * placed))


def _together(memory: Memory, layout: TargetLayout, storage: Storage) -> tuple[float, np.ndarray, np.ndarray]:
    shape = memory.shape
    at = storage.unravel(memory.index, shape, order(layout))
    role = roles(layout, shape["C"])[at["C"]]
    cell = (at["A"] * shape["H"] + at["H"]) * shape["W"] + at["W"]
    said = evidence(layout, role, memory.value, memory.ground[memory.index])
    if layout.ignore is not None:
        role = np.where((memory.value == layout.ignore) & (role >= 2), 0, role)
    if layout.class_values == "gaussian":
        said = said & (role != 1)
        role = np.where((role == 3) & ~said, 0, role)
    kinds = (1, 3) if layout.objectness is None else (1, 2, 3)
    total = shape["A"] * shape["H"] * shape["W"]
    wanted = [_marked(total, cell[(role == 1) if kind == 1 else (role == kind) & said]) for kind in kinds]
    every = np.flatnonzero(np.logical_or.reduce(wanted))
    common = np.count_nonzero(np.logical_and.reduce(wanted))
    rows, columns = np.divmod(every % (shape["H"] * shape["W"]), shape["W"])
    return common / max(len(every), 1), rows, columns
