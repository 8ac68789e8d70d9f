"""The ceiling of a head with DFL: no side of a box lies further from its cell than (reg_max - 1) strides."""

from collections.abc import Sequence

import numpy as np

from anatomy import Trace

from .overlap import reachable_overlap

SIDES = ("left", "top", "right", "bottom")


class Reach:
    """How far the cells of one trace reach: ``far`` (A,) px of the input, infinite for a head without a ceiling."""

    def __init__(self, trace: Trace):
        self.letterbox, self.points, level = trace.letterbox, trace.points(), trace.places().level
        ends = np.asarray([ceiling(trace, entry.index) for entry in trace.levels], np.float64)
        self.far = ends[level]
        self.bounded = bool(np.isfinite(ends).all())

    def overlap(self, box: np.ndarray, anchors: slice | Sequence[int]) -> np.ndarray:
        """The best IoU with an object (4,) xyxy px of the original that boxes of some cells can express."""
        if not self.bounded:
            return np.ones(len(self.far[anchors]))
        return reachable_overlap(self.letterbox.to_input(box), self.points[anchors], self.far[anchors])

    def beyond(self, boxes: np.ndarray, anchors: Sequence[int] | np.ndarray) -> np.ndarray:
        """(n, 4) px of the input: how far left, top, right and bottom of objects lie beyond the reach of a cell each.

        ``boxes`` (n, 4) xyxy px of the original; 0 where a side is within reach.
        """
        anchors = np.asarray(anchors, np.int64)
        sides = np.asarray(self.letterbox.to_input(boxes), np.float64).reshape(-1, 4)
        points, far = self.points[anchors], self.far[anchors, None]
        away = np.concatenate((points - sides[:, :2], sides[:, 2:] - points), 1)
        return np.maximum(away - far, 0.0)


def ceiling(trace: Trace, level: int) -> float:
    """How far from its cell a side of a box of this level can lie, px of the input; infinite without DFL."""
    return (trace.reg_max - 1) * float(trace.levels[level].stride) if trace.reg_max > 1 else np.inf


def cut_words(trace: Trace, level: int, beyond: np.ndarray) -> str:
    """In words, which sides (4,) of an object lie beyond the ceiling of a level; "" where none does."""
    sides = [name for name, px in zip(SIDES, beyond, strict=True) if px > 0]
    if not sides:
        return ""
    named = " and ".join((", ".join(sides[:-1]), sides[-1])) if len(sides) > 1 else sides[0]
    verb = "side lies" if len(sides) == 1 else "sides lie"
    far = ceiling(trace, level)
    return (
        f"its {named} {verb} beyond the ceiling: up to {far + beyond.max():.0f} px from the cell, which reaches {far:g}"
    )
