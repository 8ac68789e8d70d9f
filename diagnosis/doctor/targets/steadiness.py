"""Whether objects that lie alike fill alike cells, as where no prediction chooses them."""

import numpy as np

from .asking import Asker
from .examination import Examination
from .probes import Probe


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
