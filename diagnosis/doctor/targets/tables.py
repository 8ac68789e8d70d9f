"""The box channels of a level's cells, with all that may explain them."""

import numpy as np

from ..boxes.held import Held
from ..layout import TargetLayout
from .asking import Answer
from .examination import Examination
from .seeing import Seen, spread

KINDS = ("place", "class", "edge")
EACH = 5
"""Cells of one object that are read."""


def held(exam: Examination, level: int) -> Held | None:
    """The box channels of a sample of the cells that single objects inside the image fill on a level."""
    parts = [
        _of_one(exam, level, answer, seen[level])
        for answer, seen in zip(exam.answers, exam.seen, strict=True)
        if seen is not None and _tells(exam, level, answer, seen[level])
    ]
    parts = [part for part in parts if part is not None]
    if not parts:
        return None
    boxes, sizes, grids, here, meant, anchors, values, ground = (np.concatenate(p) for p in zip(*parts, strict=True))
    layout, found = exam.layout, exam.maps.get(level)
    return Held(
        boxes=boxes,
        sizes=sizes,
        grids=grids,
        here=here,
        meant=meant,
        priors=layout.priors(level)[anchors],
        others=_others(layout, level, anchors),
        values=values,
        ground=ground,
        stride=layout.strides[level],
        strides=tuple(dict.fromkeys((*layout.strides, *([found.stride] if found else ())))),
    )


def _tells(exam: Examination, level: int, answer: Answer, seen: Seen) -> bool:
    """Whether an answer shows from where its cells were meant; not so where they were brought back to the border."""
    found, (height, width) = exam.maps.get(level), answer.probe.image_size
    kinds = KINDS[:2] if found is not None and any(found.shift) else KINDS  # shifted cells may have come round
    if not answer.finite or answer.probe.kind not in kinds or not len(seen):
        return False
    return found is None or not found.turned or height == width or not exam.leaves(answer, level)


def _of_one(exam: Examination, level: int, answer: Answer, one: Seen) -> tuple[np.ndarray, ...] | None:
    """Boxes, sizes, grids, cells, cells that were meant, anchors, values and ground of one object's cells."""
    grid, box = answer.levels[level].grid, list(exam.layout.box)
    known = np.flatnonzero(one.core[one.picked])
    at = known[spread(len(known), EACH)]
    count, cells = len(at), one.picked[at]
    if not count:
        return None
    rows, columns = one.rows[cells], one.columns[cells]
    there = intended(exam, level, rows, columns, answer)
    return (
        np.repeat(answer.probe.boxes, count, 0),
        np.array([answer.probe.image_size] * count, float),
        np.array([grid] * count),
        np.stack((columns, rows), 1).astype(float),
        there,
        one.anchors[cells],
        one.values[at][:, box],
        one.ground[at][:, box],
    )


def intended(
    exam: Examination, level: int, rows: np.ndarray, columns: np.ndarray, answer: Answer, thing: int = 0
) -> np.ndarray:
    """(n, 2) column, row: the cells that were meant for an object of an answer, by the level's map."""
    found = exam.maps.get(level)
    if found is None:
        return np.stack((columns, rows), 1).astype(float)
    box = answer.probe.boxes[thing]
    middle = (box[:2] + box[2:]) / 2 / found.stride
    meant = found.intended(rows, columns, answer.levels[level].grid, (middle[1], middle[0]))
    return np.stack((meant[1], meant[0]), 1).astype(float)


def _others(layout: TargetLayout, level: int, anchors: np.ndarray) -> dict[str, np.ndarray]:
    """Sides of priors that stand elsewhere: of other levels, of other anchors of the cell."""
    if layout.anchors is None:
        return {}
    table = np.array(layout.anchors, float)
    count, found = table.shape[1], {}
    for other in range(len(table)):
        if other != level:
            name = "opposite level" if other == len(table) - 1 - level else "other level"
            found[f"{name} {other}"] = table[other][anchors]
    if count > 1:
        found["other anchor, next"] = table[level][(anchors + 1) % count]
        found["other anchor, before"] = table[level][(anchors - 1) % count]
        found["other anchor, from the end"] = table[level][count - 1 - anchors]
    sides = {f"{name} {side}": pair[:, i] for name, pair in found.items() for i, side in enumerate(("width", "height"))}
    return sides or {"prior width": table[level][anchors][:, 0]}
