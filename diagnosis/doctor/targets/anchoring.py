"""Whether objects stand at the anchors that are like them, or at others of the cell, of another level, or turned."""

from collections.abc import Iterator

import numpy as np

from .examination import Examination
from .faults import Fault

CLEARLY = 0.75


def anchoring(exam: Examination) -> list[Fault]:
    """Levels whose objects are all more like other priors than like those of the anchors that they stand at."""
    if exam.layout.anchors is None or exam.layout.anchor_count < 2:
        return []
    table, faults = np.array(exam.layout.anchors, float), []
    for level in sorted(exam.used):
        sizes, anchors = _standing(exam, level)
        if len(sizes) < 8:
            continue
        own = _unlike(sizes, table[level][anchors])
        others = [one for one in _others(table, level) if one[0] != "levels_reversed" or _alone(exam, level)]
        tried = [(_unlike(sizes, priors[anchors]), code, what) for code, what, priors in others]
        least, code, what = min(tried)
        if least < CLEARLY * own and own - least > 0.25:
            evidence = {"unlike": round(own, 3), "unlike_otherwise": round(least, 3)}
            faults.append(Fault(code, what, level, evidence=evidence))
    return faults


def _standing(exam: Examination, level: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) sides of single objects, (n,) the anchors that they stand at, each once an object."""
    sizes, anchors = [], []
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is None or answer.probe.kind not in ("place", "class"):
            continue
        box = answer.probe.boxes[0]
        for anchor in np.unique(seen[level].anchors):
            sizes.append(box[2:] - box[:2])
            anchors.append(anchor)
    return np.array(sizes).reshape(-1, 2), np.array(anchors, int)


def _alone(exam: Examination, level: int) -> bool:
    """Whether the objects of a level mostly have no cell on the opposite one: only then sizes decide on levels."""
    opposite = exam.levels - 1 - level
    here = [seen for seen in exam.seen if seen is not None and len(seen[level])]
    return sum(len(seen[opposite]) > 0 for seen in here) < 0.5 * len(here)


def _unlike(sizes: np.ndarray, priors: np.ndarray) -> float:
    """The mean difference of the sides' logarithms."""
    return float(np.abs(np.log(sizes / priors)).sum(1).mean())


def _others(table: np.ndarray, level: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """A code, words, and the priors that objects may have been held against."""
    priors, count = table[level], table.shape[1]
    for step in range(1, count):
        what = f"objects stand {step} anchors after the one that is like them"
        yield "wrong_cell", what, np.roll(priors, step, 0)
    if count > 2:
        yield "wrong_cell", "objects stand at anchors counted from the end", priors[::-1]
    yield "axes_swapped", "objects are held against priors with width and height exchanged", priors[:, ::-1]
    if len(table) > 1 and level != len(table) - 1 - level:
        what = "objects are held against the priors of the levels in the opposite order"
        yield "levels_reversed", what, table[len(table) - 1 - level]
