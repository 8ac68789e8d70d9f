"""Several objects in one image: does every cell belong to one of them, and does every object keep a cell."""

from collections.abc import Callable, Sequence

import numpy as np

from ..notes import Notes
from .answers import Answer, Spots


def judge(
    answer: Answer,
    alone: Sequence[Answer],
    look: Callable[[Answer, int], Spots],
    holds: Callable[[Answer, int, int, int, int, np.ndarray], bool],
    notes: Notes,
    levels: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Compare each cell with what the objects fill when they are ``alone``.

    ``look(answer, level)`` reads one level; ``holds(answer, level, row, column, i, values)`` says whether these box
    channels are those of object i, for a cell that it did not claim when it was alone. Returns how many cells each
    object has, and how many of those it has alone no other one claims.
    """
    objects, note = range(len(alone)), answer.probe.note
    tables = [[_table(look(single, level)) for level in range(levels)] for single in alone]
    labels = [next((kind for table in one for kind, _ in table.values()), None) for one in tables]
    kept, free = np.zeros(len(alone), int), np.zeros(len(alone), int)
    for level in range(levels):
        for i in objects:
            others = [tables[j][level] for j in objects if j != i]
            free[i] += sum(not any(cell in other for other in others) for cell in tables[i][level])
        spots = look(answer, level)
        for at, cell in enumerate(zip(spots.rows.tolist(), spots.columns.tolist(), strict=True)):
            classes, values = spots.classes[at], spots.box[at]
            claims = [i for i in objects if cell in tables[i][level]]
            kinds = [i for i in objects if labels[i] is not None and (classes == labels[i]).all()]
            whose = [i for i in claims if _same(tables[i][level][cell][1], values)]
            if not set(whose) & set(kinds):
                whose += [i for i in objects if i not in claims and holds(answer, level, *cell, i, values)]
            right = set(whose) & set(kinds)
            kept[list(right or {*whose, *claims})] += 1
            if right:
                continue
            place = {"cell": cell, "classes set": np.flatnonzero(classes).tolist(), "objects": note}
            if not kinds and classes.sum() > max((kind.sum() for kind in labels if kind is not None), default=0):
                notes.add(
                    "class_leak", f"classes of several objects are set in one cell ({note})", level=level, **place
                )
            elif whose:
                what = f"a cell holds the box of one object and the class of another ({note})"
                notes.add("mixed_objects", what, level=level, **place)
            elif claims:
                what = f"a cell holds a box that is none of the objects' ({note})"
                notes.add("mixed_objects", what, level=level, **place)
    for i in objects:
        kind = labels[i]
        if kind is None or not kind.any() or kept[i]:
            continue
        box = np.round(answer.probe.boxes[i], 1).tolist()
        if free[i]:
            what = f"an object has no cell although {free[i]} of its cells are free ({note})"
            notes.add("object_lost", what, box=box)
        else:
            what = "objects that share all their cells: one of them has no target"
            notes.add("object_lost", what, severity="warning", box=box, objects=note)
    return kept, free


def _table(spots: Spots) -> dict:
    """(row, column) -> classes, box."""
    cells = zip(spots.rows.tolist(), spots.columns.tolist(), strict=True)
    return {cell: (spots.classes[i], spots.box[i]) for i, cell in enumerate(cells)}


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((np.abs(one - other) <= 1e-4 + 1e-3 * np.abs(other)).all())
