"""Small objects that have no cell: as no anchor point lies within them, or by a rule that leaves them out."""

from collections.abc import Iterator, Sequence

import numpy as np

from .asking import Answer, Asker
from .examination import Examination
from .probes import Probe
from .shifting import by_floor

LEAST = 4.0
"""px: smaller boxes are left out on purpose by many."""
LIKE = 0.51
"""The overlap of a prior with an object of the same middle from which on any scheme matches them."""


def small_by_rule(exam: Examination, asker: Asker, gone: Sequence[Answer]) -> list[tuple[float, float]]:
    """Widths and heights in px of lost objects that have no cell even where they lie upon an anchor point."""
    sides = {tuple((a.probe.boxes[0, 2:] - a.probe.boxes[0, :2]).round(3).tolist()) for a in gone}
    shapes = sorted((w, h) for w, h in sides if min(w, h) >= LEAST and _likely(exam, w, h))
    return [(w, h) for w, h in shapes[-4:] if all(_unheld(exam, asker, probe) for probe in _upon(exam, w, h))]


def _likely(exam: Examination, width: float, height: float) -> bool:
    """Whether some prior is like an object of these sides; without priors one level alone has to take all of them."""
    if exam.layout.anchors is None:
        return exam.levels == 1
    priors = np.array(exam.layout.anchors, float).reshape(-1, 2)
    shared = np.minimum(priors, (width, height)).prod(1)
    return bool((shared / (priors.prod(1) + width * height - shared)).max() >= LIKE)


def _upon(exam: Examination, width: float, height: float) -> Iterator[Probe]:
    """Such objects round anchor points of the finest level, clear of the borders."""
    stride, label = min(exam.layout.strides), exam.layout.class_count // 2
    offset = 0.5 if by_floor(exam.layout) else exam.layout.grid_offset
    size = exam.sizes[0]
    rows, columns = (int(side // stride) for side in size)
    half = np.array([width, height]) / 2
    for row, column in ((rows // 3, columns // 3), (rows // 2, columns // 4), (2 * rows // 3, columns // 2)):
        middle = (np.array([column, row]) + offset) * stride + 0.11
        box = np.concatenate((middle - half, middle + half))[None]
        yield Probe("small", box, (label,), size, float(np.sqrt(width * height)))


def _unheld(exam: Examination, asker: Asker, probe: Probe) -> bool:
    answer = asker.ask(probe)
    return answer.error is None and not any(len(exam.look(answer, level)) for level in range(exam.levels))
