"""Cells along the borders: such as stay empty, and such as an index that wrapped round fills."""

import numpy as np

from .examination import Examination
from .faults import PLACING, Fault
from .shifting import by_floor


def border(exam: Examination, known: set[str]) -> list[Fault]:
    """Outermost columns or rows that stay empty although objects touch them, while those opposite are filled."""
    if known & {"object_lost", "edge_crash", "raises", *PLACING} or exam.moved is not None:
        return []
    found, symmetric = [], exam.layout.grid_offset == 0.5 or by_floor(exam.layout)
    for level in sorted(exam.used):
        filled: dict[str, int] = dict.fromkeys(("left", "right", "top", "bottom"), 0)
        for answer, seen in zip(exam.answers, exam.seen, strict=True):
            if seen is not None and answer.probe.kind == "edge":
                one, (height, width) = seen[level], answer.levels[level].grid
                filled["left"] += bool((one.columns == 0).any())
                filled["right"] += bool((one.columns == width - 1).any())
                filled["top"] += bool((one.rows == 0).any())
                filled["bottom"] += bool((one.rows == height - 1).any())
        for side, other in (("left", "right"), ("right", "left"), ("top", "bottom"), ("bottom", "top")):
            if not filled[side] and filled[other] >= 4 and symmetric:
                what = f"objects never fill the cells along the {side} edge, but those opposite they do"
                found.append(Fault("object_lost", what, level, evidence={"objects": filled[other]}))
    return found


def strays(exam: Examination, known: set[str]) -> list[Fault]:
    """Cells far from an object at the edge: an index that wrapped round."""
    if known & set(PLACING) or exam.moved is not None:
        return []
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is None or answer.probe.kind not in ("edge", "beyond"):
            continue
        for level, found in exam.maps.items():
            stride, one = exam.layout.strides[level], seen[level]
            if found.cost(stride) or found.fit < 0.7 or any(found.shift) or not len(one):
                continue
            box = answer.probe.boxes[0]
            x, y = (one.columns[one.core] + 0.5) * stride, (one.rows[one.core] + 0.5) * stride
            far = np.maximum(np.maximum(box[0] - x, x - box[2]), np.maximum(box[1] - y, y - box[3]))
            reach = max(4 * stride, float(exam.layout.priors(level).max()) if exam.layout.anchors else 0.0)
            if far.max() > reach:
                what = f"an object at the {answer.probe.note} fills cells {far.max() / stride:.0f} cells away"
                return [Fault("edge_crash", what, level)]
    return []
