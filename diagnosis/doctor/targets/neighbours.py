"""Several objects in one image: pairs, a crowd, and as many as fit; each judged by what it fills alone."""

from dataclasses import replace

import numpy as np

from . import probes as ask
from .examination import PLACING, Examination
from .together import judge


def neighbours(exam: Examination) -> None:
    """Several objects in one image, judged by what each fills alone; then as many as fit."""
    if exam.clerk.differential:
        return
    alone: dict = {}
    hidden: dict = {}
    for probe in ask.together(exam.layout.strides, exam.sizes, exam.count, exam.seed):
        probe = _visible(exam, probe)
        parts = [_alone(exam, probe, i, alone) for i in range(len(probe.boxes))]
        if any(part.error for part in parts):
            continue
        answer = exam.clerk.ask(probe)
        if answer.error:
            if not exam.explained(probe):
                exam.notes.add("raises", f"several objects ({probe.note}) raise {answer.error}")
            continue
        kept, free = judge(answer, parts, exam.look, exam.holds, exam.notes, exam.levels)
        if len(kept) == 2:
            inner = int((probe.boxes[:, 2:] - probe.boxes[:, :2]).prod(1).argmin())
            lost = any(len(level.index) for level in parts[inner].levels) and not kept[inner] and free[1 - inner] > 0
            hidden.setdefault((probe.image_size, probe.side), {})[probe.note] = lost
    both = [pair for pair in hidden.values() if pair.get("one in the other") and pair.get("one round one")]
    if len(both) > 0.5 * len(hidden):
        what = "the larger of two objects takes all cells of the one within it, whichever comes first"
        exam.notes.add("object_lost", what, pairs=len(both))
    _many(exam, alone)


def _visible(exam: Examination, probe):
    """The same objects, with labels that set a class."""
    others = sorted(set(range(exam.count)) - exam.unseen, reverse=True) or [0]
    return replace(probe, labels=tuple(others[0] if label in exam.unseen else label for label in probe.labels))


def _alone(exam: Examination, probe, i: int, alone: dict):
    """The answer to object i by itself, asked once."""
    box, label = probe.boxes[i], probe.labels[i]
    key = box.tobytes(), label, probe.image_size
    if key not in alone:
        alone[key] = exam.clerk.ask(ask.Probe("single", box[None], (label,), probe.image_size))
    return alone[key]


def _many(exam: Examination, alone: dict) -> None:
    """Does a crowd without shared cells keep the objects that have a cell of the finest level when alone."""
    probe = _visible(exam, ask.lattice(exam.layout.strides, exam.sizes[0], exam.count))
    answer = exam.clerk.ask(probe)
    if exam.notes.has("object_lost", "raises", *PLACING):
        return
    if answer.error:
        exam.notes.add("raises", f"{len(probe.boxes)} objects in one image raise {answer.error}")
        return
    chosen = np.unique(np.linspace(0, len(probe.boxes) - 1, 8).round().astype(int))
    parts = [_alone(exam, probe, i, alone) for i in chosen]
    there, cells = _filled(exam, answer), [_filled(exam, part) for part in parts if not part.error]
    lost = sum(bool(own) and not own & there for own in cells)
    if lost:
        what = f"of {len(probe.boxes)} objects in one image some have no cell: {lost} of {len(cells)} that were asked"
        exam.notes.add("object_lost", what, objects=len(probe.boxes))


def _filled(exam: Examination, answer) -> set[tuple[int, int]]:
    """Cells (row, column) of the finest level."""
    spots = exam.look(answer, 0)
    return set(zip(spots.rows.tolist(), spots.columns.tolist(), strict=True))
