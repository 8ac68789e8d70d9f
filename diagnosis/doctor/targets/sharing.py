"""How the levels share the sizes of objects out."""

from collections.abc import Sequence

import numpy as np

from . import probes as ask
from .asking import Asker
from .examination import Examination
from .faults import Fault


def levels(exam: Examination, asker: Asker, faults: Sequence[Fault]) -> list[Fault]:
    """Sizes that are shared out among levels in a strange way, or not at all; levels that no object goes to."""
    if exam.levels < 2:
        return []
    return _unused(exam, asker, faults) + _shares(exam)


def _unused(exam: Examination, asker: Asker, faults: Sequence[Fault]) -> list[Fault]:
    empty = sorted(set(range(exam.levels)) - exam.used)
    if not empty or not exam.used or asker.differential:
        return []
    taken: set[int] = set()
    if min(empty) > min(exam.used):  # a larger image may be what the coarse ones wait for
        label = exam.layout.class_count // 2
        for probe in ask.large(exam.layout.strides, exam.sizes[0], label):
            answer = asker.ask(probe)
            if answer.error is None:
                taken |= {level for level in empty if len(exam.look(answer, level))}
    found = []
    for level in empty:
        if level in taken:
            what = f"images of {exam.sizes[0]} leave it empty; larger objects go there"
            found.append(Fault("level_unused", what, level, severity="warning"))
        else:
            found.append(Fault("level_unused", "no object of any size has a cell here", level))
    return found


def _shares(exam: Examination) -> list[Fault]:
    strides = exam.layout.strides
    sides = [side for side in ask.sides(strides, exam.sizes) if side >= 2 * min(strides)]
    share, total = np.zeros((len(sides), exam.levels)), np.zeros((len(sides), 1))
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is not None and answer.probe.kind == "place" and answer.probe.side in sides:
            at = sides.index(answer.probe.side)
            total[at] += 1
            share[at] += [len(one) > 0 for one in seen]
    if len(sides) < 2 or not total.all():
        return []
    share /= total
    if (share[[0, -1]].min() > 0.6 and share.min() > 0.5) or (share[-1].min() > 0.6 and _wherever_points(exam)):
        what = "every object has cells on every level, whatever its size"
        evidence = {"share_of_smallest": share[0].tolist(), "share_of_largest": share[-1].tolist()}
        return [Fault("all_levels_assigned", what, severity="warning", evidence=evidence)]
    taken = share.sum(0)
    missing = share.sum(1).min() < 0.1  # a size that no level takes shows that levels do not share sizes out as usual
    shown = np.flatnonzero(taken >= 0.25) if missing else np.array([0, exam.levels - 1])
    if taken[shown].min(initial=1) < (0.25 if missing else 0.5):
        return []
    if len(shown) < 2:
        return []
    typical = np.exp(np.log(sides) @ share[:, shown] / taken[shown])
    falling = bool((np.diff(typical) < 0).all()) or {0, exam.levels - 1} <= set(shown.tolist())
    if typical[0] <= 2 * typical[-1] or not falling:
        return []
    what = "small objects go to the coarser levels and large ones to the finer"
    evidence = {"typical_side_px": {"finest": float(typical[0]), "coarsest": float(typical[-1])}}
    return [Fault("levels_reversed", what, evidence=evidence)]


def _wherever_points(exam: Examination) -> bool:
    """Whether objects have cells on each level that has a point within their box, and on hardly any other."""
    there, could = np.zeros(exam.levels), np.zeros(exam.levels)
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is None or answer.probe.kind != "place":
            continue
        for level, stride in enumerate(exam.layout.strides):
            near = answer.probe.boxes[0] / stride - exam.layout.grid_offset
            inside = np.floor(near[2:] - 1e-3) >= np.ceil(near[:2] + 1e-3)
            could[level] += inside.all()
            there[level] += inside.all() and len(seen[level]) > 0
    return bool(could.min() >= 8 and (there / could.clip(1)).min() > 0.95)
