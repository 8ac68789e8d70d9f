"""Which class channels each label sets, and whether objectness goes with them."""

from typing import Any

from .answers import read
from .examination import Examination, bare_cells, kinds_of


def classes(exam: Examination) -> None:
    """Note labels that set other class channels than their own."""
    found: dict[tuple[int, int], dict] = {}
    for index, answer in enumerate(exam.answers):
        if answer.error is None:
            for level in range(exam.levels):
                sets = found.setdefault((level, answer.probe.labels[0]), {})
                rows, counts = kinds_of(exam.spots[index, level].classes)
                for row, times in zip(rows, counts, strict=True):
                    sets[row] = sets.get(row, 0) + times
    for (level, label), sets in found.items():
        usual = max(sets, key=lambda kind: sets[kind], default=(label,))
        if label not in usual:
            what = f"label {label} sets class channels {usual}" if usual else "no class channel is set"
            evidence: dict[str, Any] = {f"label {label}": usual}
            exam.notes.add("class_wrong", what, level=level, **evidence)
        elif len(usual) > 1:
            exam.notes.add("class_leak", f"label {label} sets class channels {usual}", level=level)

    asked = {answer.probe.labels[0] for answer in exam.answers if answer.probe.kind == "class" and not answer.error}
    exam.unseen = asked - {label for (_, label), sets in found.items() if any(sets)}
    for level, count in enumerate(exam.bare):
        if count:
            what = "classes are set in cells that hold no object"
            exam.notes.add("class_leak", what, level=level, cells=count)


def objectness(exam: Examination) -> None:
    """Note where objectness and classes do not go together."""
    if exam.layout.objectness is None:
        return
    for level in exam.used:
        both = without = bare = 0
        for answer in exam.answers:
            if answer.error is None and answer.probe.kind == "place":
                spots = read(answer.levels[level], exam.layout, exam.scramble[level])
                known = spots.classes.any(1) & ~bare_cells(spots)
                both += int((known & spots.objectness).sum())
                without += int((known & ~spots.objectness).sum())
                bare += int((~known & spots.objectness).sum())
        if without > 0.02 * (both + without) or (both and bare > 0.02 * both):
            what = "not set in cells that hold an object" if without else "set in cells that hold no object"
            exam.notes.add("objectness_wrong", what, level=level, right=both, missing=without, too_many=bare)
