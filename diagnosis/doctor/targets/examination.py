"""One pass over one target encoder: what it answered, what was read from it, what was noted."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..boxes.proportions import Motion
from ..boxes.readings import Reading, Written, agreement
from ..layout import TargetLayout
from ..notes import Notes
from .answers import SCRAMBLES, Answer, Clerk, Spots, read
from .placement import CellMap, plain_grid
from .probes import Probe

PLACING = ("axes_swapped", "image_size_swapped", "levels_reversed", "wrong_stride", "scrambled_layout")
PLACING += ("half_cell_offset", "off_by_one_cell")
"""Faults that put objects into other cells, and so out of the grid as well."""


class Examination:
    """Answers, readings and notes of one encoder.

    ``answers``: of all single objects; ``spots[answer, level]``: what was read from each; ``maps[level]`` and
    ``readings[level]``: how the level was found to choose cells and to write boxes; ``used``: levels that hold objects;
    ``motion``: how the encoder moves every box before all else; ``bare[level]``: cells with a class and no box;
    ``unseen``: labels for which no class is set;
    ``blind``: an earlier call decides the answer, whatever is asked.
    """

    answers: list[Answer]

    def __init__(self, encode: Callable, layout: TargetLayout, sizes: Sequence[tuple[int, int]], seed: int):
        self.layout, self.sizes, self.seed = layout, sizes, seed
        self.count, self.levels = len(layout.class_channels), len(layout.strides)
        self.clerk, self.notes = Clerk(encode, layout), Notes(self.levels)
        self.used: set[int] = set(range(self.levels))
        self.scramble: list[str | None] = [None] * self.levels
        self.maps: dict[int, CellMap] = {}
        self.readings: dict[int, Reading] = {}
        self.grids: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self.spots: dict[tuple[int, int], Spots] = {}
        self.motion: Motion | None = None
        self.bare, self.blind = [0] * self.levels, False
        self.unseen: set[int] = set()

    def read_all(self) -> None:
        """Read every answer, once scrambled channels have been looked for."""
        placed = [answer for answer in self.answers if answer.error is None and answer.probe.kind == "place"]
        for level in range(self.levels):
            plain = self._coherence(placed, level, None)
            if plain is not None and plain < 0.85:
                tried = {how: self._coherence(placed, level, how) or 0.0 for how in SCRAMBLES}
                how = max(tried, key=lambda way: tried[way])
                if tried[how] > max(0.9, plain + 0.1):
                    self.scramble[level] = how
                    self.notes.add("scrambled_layout", SCRAMBLES[how], level=level)
        hows = [how for how in self.scramble if how]
        for level in range(self.levels if hows else 0):
            if self.scramble[level] is None and self._coherence(placed, level, None) is None:
                self.scramble[level] = hows[0]
        for index, answer in enumerate(self.answers):
            for level in range(self.levels if answer.error is None else 0):
                self.spots[index, level] = self.look(answer, level)
        self.used = {level for (_, level), spots in self.spots.items() if len(spots)} or set(range(self.levels))

    def look(self, answer: Answer, level: int) -> Spots:
        """The cells of one answer that hold an object."""
        spots = read(answer.levels[level], self.layout, self.scramble[level])
        if not len(spots):
            return spots
        set_ = spots.classes.any(1)
        keep = set_ if set_.any() else spots.objectness
        bare = keep & bare_cells(spots)
        if self.layout.objectness is not None and (keep & ~bare).any():
            keep = keep & ~bare
            self.bare[level] += int(bare.sum())
        return Spots(*(part[keep] for part in (spots.rows, spots.columns, spots.classes, spots.objectness, spots.box)))

    def _coherence(self, answers: Sequence[Answer], level: int, how: str | None) -> float | None:
        """The share of single objects whose cells all carry the one usual set of classes, and lie together."""
        found: list[tuple[set, bool]] = []
        sets: dict[tuple[int, ...], int] = {}
        for answer in answers:
            spots = read(answer.levels[level], self.layout, how)
            if not len(spots):
                continue
            kinds = set(kinds_of(spots.classes)[0]) - {()}
            box, stride = answer.probe.boxes[0], self.layout.strides[level]
            reach = 4.5 * max(box[2] - box[0], box[3] - box[1]) / stride + 8
            near = max(np.ptp(spots.rows), np.ptp(spots.columns)) <= reach
            found.append((kinds, near))
            for kind in kinds:
                sets[kind] = sets.get(kind, 0) + 1
        if len(found) < 4 or not sets:
            return None
        usual = max(sets, key=lambda kind: sets[kind])
        return float(np.mean([kinds == {usual} and near for kinds, near in found]))

    def boxes(self, probe: Probe) -> np.ndarray:
        """(n, 4) xyxy px: the probe's boxes as the encoder was found to see them."""
        return self.motion.apply(probe.boxes, probe.image_size) if self.motion else probe.boxes

    def explained(self, probe: Probe) -> bool:
        """Whether a fault of placement that was found sends this probe's objects beyond the grid."""
        if self.motion:
            height, width = probe.image_size
            moved = self.boxes(probe)
            return bool((moved[:, :2] < 0).any() or (moved[:, 2:] > (width, height)).any())
        if not self.notes.has(*PLACING):
            return False
        strides = self.layout.strides
        grids = self.grids.get(probe.image_size, [plain_grid(probe.image_size, stride) for stride in strides])
        return any(
            found.leaves(probe.boxes, probe.image_size, grids[level], strides[level])
            for level, found in self.maps.items()
        )

    def cause(self) -> str:
        """The code of the fault that puts objects into other cells."""
        return "wrong_cell" if self.motion else next(code for code in PLACING if self.notes.has(code))

    def inner(self, probe: Probe) -> bool:
        """Whether a box keeps more than two and a half of the coarsest cells from the edges."""
        (x1, y1, x2, y2), (height, width) = probe.boxes[0], probe.image_size
        return bool(min(x1, y1, width - x2, height - y2) > 2.5 * max(self.layout.strides))

    def holds(self, answer: Answer, level: int, row: int, column: int, i: int, values: np.ndarray) -> bool:
        """Whether box channels of this cell are object i's, as the level was found to write them."""
        if level not in self.readings:
            return True
        grid, found = np.array([answer.levels[level].shape[1:]]), self.maps.get(level)
        cell = np.array([float(row)]), np.array([float(column)])
        meant = found.intended(*cell, tuple(grid[0])) if found else cell
        size = np.array([answer.probe.image_size], float)
        one = Written(
            self.boxes(answer.probe)[i : i + 1], size, grid, *cell, np.stack(meant, 1), {}, self.layout.strides[level]
        )
        reading = replace(self.readings[level], source="here")
        return bool(agreement(reading, replace(one, values={"here": values[None].astype(float)})).all())


def bare_cells(spots: Spots) -> np.ndarray:
    """(k,) bool: cells with a class, but neither objectness nor a box."""
    return spots.classes.any(1) & ~spots.objectness & (np.abs(spots.box).max(1, initial=0) < 1e-9)


def kinds_of(classes: np.ndarray) -> tuple[list[tuple[int, ...]], list[int]]:
    """The different sets of classes among rows (k, classes) of bool, and how often each comes."""
    if len(classes) == 0:
        return [], []
    if (classes == classes[:1]).all():
        return [tuple(np.flatnonzero(classes[0]).tolist())], [len(classes)]
    rows, counts = np.unique(classes, axis=0, return_counts=True)
    return [tuple(np.flatnonzero(row).tolist()) for row in rows], counts.tolist()
