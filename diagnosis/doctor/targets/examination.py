"""The answers to all single objects, read level by level under the storage that makes sense of them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from ..layout import TargetLayout
from ..storage import Storage, order
from .asking import Answer, Asker
from .cell_map import CellMap
from .faults import Fault
from .placing import Sighting, as_table, best_sizes, fit_cells
from .probes import Probe
from .seeing import Seen, best_storage, see
from .shifting import by_floor, shifted

BELIEVED = 0.55
"""The share of objects that must lie where a right map says; predictions that choose cells put some elsewhere."""


@dataclass(frozen=True, eq=False)
class Examination:
    """What was asked and seen: ``seen[i][level]`` of answer i (None where it raised); ``storages`` a level.

    ``maps``: how levels choose cells; ``moved``: how boxes are seen before; ``faded``: levels where a box may be
    written as nothing.
    """

    layout: TargetLayout
    sizes: tuple[tuple[int, int], ...]
    answers: tuple[Answer, ...]
    storages: tuple[Storage, ...]
    seen: tuple[tuple[Seen, ...] | None, ...]
    by_box: bool = False
    maps: dict[int, CellMap] = field(default_factory=dict)
    moved: Callable | None = None
    faded: frozenset[int] = frozenset()

    @property
    def levels(self) -> int:
        """How many."""
        return len(self.layout.strides)

    @property
    def used(self) -> set[int]:
        """The levels on which any object has a cell."""
        return {level for one in self.seen if one for level in range(self.levels) if len(one[level])}

    def look(self, answer: Answer, level: int) -> Seen:
        """The cells of one level of another answer."""
        return see(answer.levels[level], self.layout, self.storages[level], by_box=self.by_box)

    def boxes(self, answer: Answer) -> np.ndarray:
        """(n, 4) xyxy px of an answer's objects as the encoder sees them."""
        boxes, size = answer.probe.boxes, answer.probe.image_size
        return boxes if self.moved is None else self.moved(boxes, size)

    def explained(self, answer: Answer) -> bool:
        """Whether a wrong placement that is known may send the object's cells out of the grid."""
        return any(self.leaves(answer, level) for level in self.maps)

    def cut(self, answer: Answer) -> bool:
        """Whether exchanged sides send an object's centre out of the grid; a clamp then brings it back."""
        size, boxes = answer.probe.image_size, self.boxes(answer)
        centres = np.tile((boxes[:, :2] + boxes[:, 2:]) / 2, 2)
        return any(
            found.turned and found.leaves(centres, size, self._grids(size)[level], self.layout.strides[level])
            for level, found in self.maps.items()
        )

    def leaves(self, answer: Answer, level: int) -> bool:
        """Whether this level's map, being wrong, sends the object's cells out of the grid."""
        size = answer.probe.image_size
        return self.maps[level].leaves(self.boxes(answer), size, self._grids(size)[level], self.layout.strides[level])

    def _grids(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        for answer in self.answers:
            if answer.error is None and answer.probe.image_size == size:
                return [memory.grid for memory in answer.levels]
        return [(int(size[0] / stride), int(size[1] / stride)) for stride in self.layout.strides]


def examine(asker: Asker, answers: list[Answer], sizes: tuple[tuple[int, int], ...]) -> Examination:
    """Read all answers; a level that no score marks is read by its box channels."""
    layout = asker.layout
    plain = Storage(order(layout))
    storages = tuple(best_storage(answers, layout, level) for level in range(len(layout.strides)))
    shared = [storage for storage in storages if storage != plain]
    if shared:  # a level that says too little by itself is stored as the others are
        whole = layout.axes.endswith("NC")
        thin = [whole or _thin(answers, level) for level in range(len(storages))]
        storages = tuple(shared[0] if thin[i] and storage == plain else storage for i, storage in enumerate(storages))
    for by_box in (False, True):
        seen = [
            None
            if answer.error is not None
            else tuple(see(m, layout, s, by_box=by_box) for m, s in zip(answer.levels, storages, strict=True))
            for answer in answers
        ]
        if any(len(level) for one in seen if one for level in one):
            break
    else:
        by_box = False
    return Examination(
        layout=layout, sizes=sizes, answers=tuple(answers), storages=storages, seen=tuple(seen), by_box=by_box
    )


def _thin(answers: list[Answer], level: int) -> bool:
    return sum(len(a.levels[level].index) > 0 for a in answers if a.error is None and len(a.probe.boxes) == 1) < 4


def stored(exam: Examination) -> list[Fault]:
    """Levels whose memory is meant otherwise than declared."""
    plain = Storage(order(exam.layout))
    return [
        Fault("scrambled_layout", storage.words, level, evidence={"memory": storage.dims})
        for level, storage in enumerate(exam.storages)
        if storage != plain and level in exam.used
    ]


def place(exam: Examination) -> Examination:
    """How each level chooses its cells."""
    layout, asked, enough, tables, maps = exam.layout, _asked(exam), {}, {}, {}
    for level, stride in enumerate(layout.strides):
        seen = _sightings(exam, level)
        if len(seen) >= 6:
            overlap = layout.anchors is not None and not by_floor(layout)
            least = 0.8 * float(layout.priors(level).min()) if overlap else 0.0
            enough[level] = best_sizes(seen, asked, least)
            tables[level] = as_table(enough[level])
            maps[level] = fit_cells(tables[level], stride, layout)
    prior = max(maps.values(), key=lambda found: found.fit * found.seen, default=None)
    maps = {level: fit_cells(table, layout.strides[level], layout, prior) for level, table in tables.items()}
    maps = shifted(maps, enough, tables, layout)
    for level in exam.used - set(enough):
        if prior is None:
            continue
        maps[level] = replace(prior, stride=layout.strides[level], shift=(0.0, 0.0), fit=1.0, seen=0)
    return replace(exam, maps=maps)


def misplaced(exam: Examination) -> list[Fault]:
    """The faults that the maps of the levels amount to."""
    faults = []
    for level, found in sorted(exam.maps.items()):
        if not found.seen:
            continue
        evidence = {"explained": round(found.fit, 3), "objects": found.seen}
        if found.fit < (0.7 if found.cost(exam.layout.strides[level]) else BELIEVED):
            faults.append(Fault("wrong_cell", "cells do not lie where the object is", level, evidence=evidence))
            continue
        faults += [
            Fault(code, what, level, evidence=evidence)
            for code, what in found.codes(exam.layout.strides[level]).items()
        ]
    return faults


def _asked(exam: Examination) -> dict[float, int]:
    found: dict[float, int] = {}
    for answer in exam.answers:
        if answer.probe.kind == "place" and answer.error is None:
            found[answer.probe.side] = found.get(answer.probe.side, 0) + 1
    return found


def steady(exam: Examination, asker: Asker) -> bool:
    """Whether objects that lie alike upon the coarsest cells fill alike cells; not so where predictions choose them."""
    coarsest, seen, differ = int(max(exam.layout.strides)), 0, 0
    for height, width in exam.sizes[:1]:
        for side in (2.3 * min(exam.layout.strides), 1.3 * coarsest, 0.3 * min(height, width)):
            start = coarsest * np.array([1, 1]) + np.array([0.31, 0.23]) * coarsest
            room = (np.array([width, height]) - side - start) // coarsest - 1
            steps = [np.array(step) * room.clip(0) // 2 for step in ((0, 0), (2, 0), (0, 2), (1, 2), (2, 1))]
            found = [_relative(exam, asker, start, step * coarsest, side, (height, width)) for step in steps]
            known = [one for one in found if one is not None]
            seen += len(known)
            differ += sum(one != known[0] for one in known)
    return seen < 6 or differ < 0.25 * seen


def _relative(
    exam: Examination, asker: Asker, start: np.ndarray, moved: np.ndarray, side: float, size: tuple[int, int]
) -> frozenset | None:
    """The cells of a square box, counted from where it was moved to in px; None where it raises."""
    x, y = start + moved
    label = exam.layout.class_count // 2
    answer = asker.ask(Probe("steady", np.array([[x, y, x + side, y + side]]), (label,), size, side))
    if answer.error is not None:
        return None
    cells = set()
    for level, stride in enumerate(exam.layout.strides):
        right, down = (moved / stride).round().astype(int).tolist()
        cells |= {(level, a, row - down, column - right) for a, row, column in exam.look(answer, level).cells()}
    return frozenset(cells)


def _sightings(exam: Examination, level: int) -> list[Sighting]:
    found = []
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is None or answer.probe.kind != "place" or not len(seen[level]):
            continue
        there = slice(None) if level in exam.faded else seen[level].core
        found.append(
            Sighting(
                box=exam.boxes(answer)[0],
                image_size=answer.probe.image_size,
                grid=answer.levels[level].grid,
                side=answer.probe.side,
                rows=seen[level].rows[there],
                columns=seen[level].columns[there],
            )
        )
    return found
