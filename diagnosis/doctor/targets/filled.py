"""What the cells of an answer hold, and whose box that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..boxes.held import Held
from .asking import Answer
from .examination import Examination
from .kinds import bare, set_classes
from .reading import Reading
from .seeing import Seen, gather
from .tables import intended
from .views import viewed

Cell = tuple[int, int, int]
"""Anchor, row, column."""


@dataclass(frozen=True, eq=False)
class Filled:
    """What one answer holds on one level: for each cell its classes and its box channels."""

    classes: dict[Cell, tuple[int, ...]]
    boxes: dict[Cell, np.ndarray]


def filled(exam: Examination, answer: Answer, level: int) -> Filled:
    """All cells of one level of an answer that hold an object, with what stands there."""
    memory, seen = answer.levels[level], exam.look(answer, level)
    keep = seen.classed | seen.chanced if level in exam.faded else seen.core & ~bare(seen, exam.layout)
    a, rows, columns = seen.anchors[keep], seen.rows[keep], seen.columns[keep]
    dims = "".join(memory.shape)
    values, ground = gather(memory, exam.storages[level], dims, a, rows, columns)
    every = np.arange(len(a))
    whole = Seen(a, rows, columns, seen.classed[keep], seen.chanced[keep], seen.boxed[keep], every, values, ground)
    cells = list(zip(a.tolist(), rows.tolist(), columns.tolist(), strict=True))
    boxes = values[:, list(exam.layout.box)]
    return Filled(dict(zip(cells, set_classes(whole, exam.layout), strict=True)), dict(zip(cells, boxes, strict=True)))


def kind_of(levels: Sequence[Filled]) -> tuple[int, ...] | None:
    """The classes that an object sets when it is alone."""
    return next((kind for level in levels for kind in level.classes.values()), None)


def owners_of(
    exam: Examination, reading: Reading | None, answer: Answer, level: int, now: Filled, own: Sequence[Filled]
) -> dict[Cell, list[int]]:
    """For each cell the objects whose box stands there: as when they were alone, or as the level writes boxes."""
    found: dict[Cell, list[int]] = {}
    for cell, box in now.boxes.items():
        found[cell] = [i for i, one in enumerate(own) if cell in one.boxes and _same(one.boxes[cell], box)]
    open_ = [cell for cell, owners in found.items() if not owners]
    mixed = [
        cell
        for cell, owners in found.items()
        if owners and not any(kind_of([own[i]]) == now.classes[cell] for i in owners)
    ]
    rest = list(dict.fromkeys([*open_, *mixed]))
    if rest and reading is not None and all(term is not None for term in reading.terms):
        for i in range(len(own)):
            right = _holds(exam, reading, answer, level, rest, now, i)
            for cell, here in zip(rest, right, strict=True):
                if here and i not in found[cell]:
                    found[cell].append(i)
    return found


def _holds(
    exam: Examination, reading: Reading, answer: Answer, level: int, cells: Sequence[Cell], now: Filled, i: int
) -> np.ndarray:
    """(m,) bool: the cells whose box channels are those of object i, as the level writes boxes."""
    layout, grid, count = exam.layout, answer.levels[level].grid, len(cells)
    a, rows, columns = (np.array(part) for part in zip(*cells, strict=True))
    meant = intended(exam, level, rows, columns, answer, i)
    boxes = answer.probe.boxes[i : i + 1]
    boxes = reading.motion.apply(boxes, answer.probe.image_size) if reading.motion else boxes
    values = np.stack([now.boxes[cell] for cell in cells])
    table = Held(
        boxes=np.repeat(boxes, count, 0),
        sizes=np.tile(np.array(answer.probe.image_size, float), (count, 1)),
        grids=np.tile(grid, (count, 1)),
        here=np.stack((columns, rows), 1).astype(float),
        meant=meant,
        priors=layout.priors(level)[a],
        others={},
        values=values,
        ground=np.zeros_like(values),
        stride=layout.strides[level],
        strides=tuple(layout.strides),
    )
    table = viewed(table, reading.view)
    terms = [term for term in reading.terms if term is not None]
    sound = [not term.prefilled and not term.unit.name.startswith(("other", "opposite")) for term in terms]
    agreed = [term.agrees(table, channel) for channel, term in enumerate(terms) if sound[channel]]
    return np.asarray(np.stack(agreed).all(0)) if agreed else np.ones(count, bool)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((np.abs(one - other) <= 1e-4 + 1e-3 * np.abs(other)).all())
