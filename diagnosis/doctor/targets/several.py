"""Several objects in one image, judged by what each fills alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from . import probes as ask
from .asking import Answer, Asker
from .examination import Examination
from .faults import PLACING, Fault
from .filled import Filled, filled
from .kinds import silent
from .probes import Probe
from .reading import Reading
from .sharing_cells import judged


@dataclass
class _Asked:
    """Answers to single objects, each asked once."""

    exam: Examination
    asker: Asker
    answers: dict = field(default_factory=dict)
    cells: dict = field(default_factory=dict)

    def alone(self, probe: Probe, i: int) -> Answer:
        """The answer to object i by itself."""
        box, label = probe.boxes[i], probe.labels[i]
        key = box.tobytes(), label, probe.image_size
        if key not in self.answers:
            self.answers[key] = self.asker.ask(Probe("single", box[None], (label,), probe.image_size))
        return self.answers[key]

    def filled(self, single: Answer) -> list[Filled]:
        """What each level of an answer to a single object holds; read once, as the answers are kept here."""
        key = id(single)
        if key not in self.cells:
            self.cells[key] = [filled(self.exam, single, level) for level in range(self.exam.levels)]
        return self.cells[key]


def neighbours(
    exam: Examination, asker: Asker, readings: dict[int, Reading], known: set[str], seed: int
) -> list[Fault]:
    """Pairs, a crowd, and as many as fit, judged by what each object fills alone."""
    if asker.differential:
        return []
    faults: list[Fault] = []
    asked, labels, hidden = _Asked(exam, asker), _labels(exam), {}
    for probe in ask.together(exam.layout.strides, exam.sizes, labels, seed):
        parts = [asked.alone(probe, i) for i in range(len(probe.boxes))]
        if any(part.error is not None or not part.finite for part in parts):
            continue
        answer = asker.ask(probe)
        if answer.error is not None:
            if not exam.explained(answer) and "edge_crash" not in known:
                faults.append(Fault("raises", f"several objects ({probe.note}) raise {answer.error}"))
            continue
        told, kept, free = judged(exam, readings, answer, [asked.filled(part) for part in parts])
        if exam.cut(answer):  # objects that lie beyond the grid are brought back into the same cells
            continue
        faults += told
        if len(kept) == 2:
            inner = int((probe.boxes[:, 2:] - probe.boxes[:, :2]).prod(1).argmin())
            there = any(len(level.index) for level in parts[inner].levels)
            gone = there and not kept[inner] and free[1 - inner] > 0
            hidden.setdefault((probe.image_size, probe.side), {})[probe.note] = gone
    both = [pair for pair in hidden.values() if pair.get("one in the other") and pair.get("one round one")]
    if len(both) > 0.7 * len(hidden) and len(both) > 2:
        what = "the larger of two objects takes all cells of the one within it, whichever comes first"
        faults.append(Fault("object_lost", what, evidence={"pairs": len(both)}))
    if not known & {"object_lost", "raises", "edge_crash", *PLACING}:
        faults += _many(exam, asked, labels)
    return faults


def _labels(exam: Examination) -> list[int]:
    """At most eight labels that set a class."""
    count = exam.layout.class_count
    chosen = sorted(set(np.linspace(0, count - 1, min(count, 8)).round().astype(int).tolist()))
    mute = silent(exam)
    return [label for label in chosen if label not in mute] or [0]


def _many(exam: Examination, asked: _Asked, labels: Sequence[int]) -> list[Fault]:
    """Does a crowd without shared cells keep the objects that have a cell of the finest level when alone."""
    probe = ask.lattice(exam.layout.strides, exam.sizes[0], labels)
    answer = asked.asker.ask(probe)
    if answer.error is not None:
        return [Fault("raises", f"{len(probe.boxes)} objects in one image raise {answer.error}")]
    chosen = np.unique(np.linspace(0, len(probe.boxes) - 1, 8).round().astype(int))
    parts = [asked.alone(probe, int(i)) for i in chosen]
    there = exam.look(answer, 0).cells()
    own = [exam.look(part, 0).cells() for part in parts if part.error is None]
    gone = sum(bool(cells) and not cells & there for cells in own)
    if not gone:
        return []
    what = f"of {len(probe.boxes)} objects in one image some have no cell: {gone} of {len(own)} that were asked"
    return [Fault("object_lost", what, evidence={"objects": len(probe.boxes)})]
