"""One answer to several objects: does every cell belong to one of them, and does every one keep a cell."""

from collections.abc import Sequence

import numpy as np

from .asking import Answer
from .examination import Examination
from .faults import Fault
from .filled import Filled, filled, kind_of, owners_of
from .reading import Reading

SHARES = "an object that shares cells with another"


def judged(
    exam: Examination, readings: dict[int, Reading], answer: Answer, there: Sequence[Sequence[Filled]]
) -> tuple[list[Fault], np.ndarray, np.ndarray]:
    """The faults of one answer, how many cells each object has, and how many of its own no other one claims.

    ``there``: by object, what each level holds of it when it is alone.
    """
    objects, faults = range(len(there)), []
    kept, free = np.zeros(len(there), int), np.zeros(len(there), int)
    kinds = [kind_of(levels) for levels in there]
    plain = {level for level, reading in readings.items() if reading.plain}
    for level in range(exam.levels):
        now, own = filled(exam, answer, level), [levels[level] for levels in there]
        for i in objects:
            others = [own[j].classes for j in objects if j != i]
            free[i] += sum(cell not in now.classes and not any(cell in o for o in others) for cell in own[i].classes)
        owners = owners_of(exam, readings.get(level), answer, level, now, own)
        for cell, classes in now.classes.items():
            claims = [i for i in objects if cell in own[i].classes]
            whose = _kinds_here(exam, classes, kinds, claims)
            right = [i for i in owners[cell] if kinds[i] is None or i in whose]
            kept[list(right or {*owners[cell], *claims})] += 1
            if not right:
                summed = bool(claims) and not owners[cell] and level in plain
                faults += _wrong(cell, level, classes, claims, owners[cell], whose, kinds, answer, summed)
    return faults + _gone(answer, kinds, kept, free, there), kept, free


def _kinds_here(exam: Examination, classes: tuple[int, ...], kinds: Sequence, claims: Sequence[int]) -> list[int]:
    """The objects whose classes stand in a cell; heat may hold those of several."""
    if exam.layout.class_values != "gaussian":
        return [i for i, kind in enumerate(kinds) if kind is not None and classes == kind]
    asked = {at for i in claims for at in kinds[i] or ()}
    return [i for i, kind in enumerate(kinds) if kind is not None and set(kind) <= set(classes) <= asked]


def _wrong(cell, level, classes, claims, whose, alike, kinds, answer, summed) -> list[Fault]:
    """A cell that is no object's as a whole; ``summed``: its box is surely none of the objects'."""
    note = answer.probe.note
    place = {"cell": cell, "classes set": list(classes), "objects": note}
    most = max((len(kind) for kind in kinds if kind is not None), default=0)
    if not alike and len(classes) > most and summed:
        what = f"a cell holds the classes of several objects and a box that is none of theirs ({note})"
        return [Fault("mixed_objects", what, level, evidence=place)]
    if not alike and len(classes) > most:
        what = f"classes of several objects are set in one cell ({note})"
        return [Fault("class_leak", what, level, evidence=place)]
    if whose:
        what = f"a cell holds the box of one object and the class of another ({note})"
        return [Fault("mixed_objects", what, level, evidence=place)]
    if claims:
        what = f"a cell holds a box that is none of the objects' ({note})"
        return [Fault("mixed_objects", what, level, evidence=place)]
    return []


def _gone(answer: Answer, kinds, kept, free, there) -> list[Fault]:
    """Objects that have no cell beside others, though they have one alone."""
    faults, note = [], answer.probe.note
    for i, kind in enumerate(kinds):
        if not kind or kept[i]:
            continue
        box = np.round(answer.probe.boxes[i], 1).tolist()
        if free[i] and not any(_crossed(there[i], there[j]) for j in range(len(kinds)) if j != i):
            what = f"an object has no cell although {free[i]} of its cells are free ({note})"
            faults.append(Fault("object_lost", what, evidence={"box": box}))
        elif free[i]:
            what = f"{SHARES} has none, although {free[i]} of its cells are free"
            faults.append(Fault("object_lost", what, evidence={"box": box, "objects": note}))
        else:
            what = "objects that share all their cells: one of them has no target"
            faults.append(Fault("object_lost", what, severity="warning", evidence={"box": box, "objects": note}))
    return faults


def _crossed(one: Sequence[Filled], other: Sequence[Filled]) -> bool:
    return any(a.classes.keys() & b.classes.keys() for a, b in zip(one, other, strict=True))
