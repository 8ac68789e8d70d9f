"""The answers to all single objects, read level by level under the storage that makes sense of them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..layout import TargetLayout
from ..orders import Storage
from ..storage import order
from .asking import Answer, Asker
from .cell_map import CellMap
from .faults import Fault
from .seeing import Seen, best_storage, see


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
