"""Several objects in one image: does every cell belong to one of them, and does every object keep a cell."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..boxes.held import Held
from . import probes as ask
from .asking import Answer, Asker
from .examination import Examination
from .faults import PLACING, Fault
from .kinds import bare, set_classes, silent
from .probes import Probe
from .reading import Reading
from .seeing import Seen, gather
from .tables import intended
from .views import viewed

Cell = tuple[int, int, int]
"""Anchor, row, column."""


@dataclass(frozen=True, eq=False)
class Filled:
    """What one answer holds on one level: for each cell its classes and its box channels."""

    classes: dict[Cell, tuple[int, ...]]
    boxes: dict[Cell, np.ndarray]


@dataclass
class _Asked:
    """Answers to single objects, each asked once."""

    exam: Examination
    asker: Asker
    answers: dict = field(default_factory=dict)

    def alone(self, probe: Probe, i: int) -> Answer:
        """The answer to object i by itself."""
        box, label = probe.boxes[i], probe.labels[i]
        key = box.tobytes(), label, probe.image_size
        if key not in self.answers:
            self.answers[key] = self.asker.ask(Probe("single", box[None], (label,), probe.image_size))
        return self.answers[key]


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
        if any(part.error is not None for part in parts):
            continue
        answer = asker.ask(probe)
        if answer.error is not None:
            if not exam.explained(answer) and "edge_crash" not in known:
                faults.append(Fault("raises", f"several objects ({probe.note}) raise {answer.error}"))
            continue
        told, kept, free = _judge(exam, readings, answer, parts)
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


def filled(exam: Examination, answer: Answer, level: int, faded: bool = False) -> Filled:
    """All cells of one level of an answer that hold an object, with what stands there.

    ``faded``: boxes may be written as nothing.
    """
    memory, seen = answer.levels[level], exam.look(answer, level)
    keep = seen.classed | seen.chanced if faded else seen.core & ~bare(seen, exam.layout)
    a, rows, columns = seen.anchors[keep], seen.rows[keep], seen.columns[keep]
    dims = "".join(memory.shape)
    values, ground = gather(memory, exam.storages[level], dims, a, rows, columns)
    every = np.arange(len(a))
    whole = Seen(a, rows, columns, seen.classed[keep], seen.chanced[keep], seen.boxed[keep], every, values, ground)
    cells = list(zip(a.tolist(), rows.tolist(), columns.tolist(), strict=True))
    boxes = values[:, list(exam.layout.box)]
    return Filled(dict(zip(cells, set_classes(whole, exam.layout), strict=True)), dict(zip(cells, boxes, strict=True)))


def _judge(
    exam: Examination, readings: dict[int, Reading], answer: Answer, alone: Sequence[Answer]
) -> tuple[list[Fault], np.ndarray, np.ndarray]:
    """The faults of one answer, how many cells each object has, and how many of its own no other one claims."""
    objects, faults = range(len(alone)), []
    kept, free = np.zeros(len(alone), int), np.zeros(len(alone), int)
    faded = [level in readings and readings[level].fades for level in range(exam.levels)]
    there = [[filled(exam, single, level, fades) for level, fades in enumerate(faded)] for single in alone]
    kinds = [_kind(levels) for levels in there]
    for level in range(exam.levels):
        now, own = filled(exam, answer, level, faded[level]), [levels[level] for levels in there]
        for i in objects:
            others = [own[j].classes for j in objects if j != i]
            free[i] += sum(cell not in now.classes and not any(cell in o for o in others) for cell in own[i].classes)
        owners = _owners(exam, readings.get(level), answer, level, now, own)
        for cell, classes in now.classes.items():
            claims = [i for i in objects if cell in own[i].classes]
            whose = _kinds_here(exam, classes, kinds, claims)
            right = [i for i in owners[cell] if kinds[i] is None or i in whose]
            kept[list(right or {*owners[cell], *claims})] += 1
            if not right:
                faults += _wrong(cell, level, classes, claims, owners[cell], whose, kinds, answer)
    return faults + _gone(answer, kinds, kept, free, there), kept, free


def _kind(levels: Sequence[Filled]) -> tuple[int, ...] | None:
    """The classes that an object sets when it is alone."""
    return next((kind for level in levels for kind in level.classes.values()), None)


def _kinds_here(exam: Examination, classes: tuple[int, ...], kinds: Sequence, claims: Sequence[int]) -> list[int]:
    """The objects whose classes stand in a cell; heat may hold those of several."""
    if exam.layout.class_values != "gaussian":
        return [i for i, kind in enumerate(kinds) if kind is not None and classes == kind]
    asked = {at for i in claims for at in kinds[i] or ()}
    return [i for i, kind in enumerate(kinds) if kind is not None and set(kind) <= set(classes) <= asked]


def _owners(
    exam: Examination, reading: Reading | None, answer: Answer, level: int, now: Filled, own: Sequence[Filled]
) -> dict[Cell, list[int]]:
    """For each cell the objects whose box stands there: as when they were alone, or as the level writes boxes."""
    found: dict[Cell, list[int]] = {}
    for cell, box in now.boxes.items():
        found[cell] = [i for i, one in enumerate(own) if cell in one.boxes and _same(one.boxes[cell], box)]
    open_ = [cell for cell, owners in found.items() if not owners]
    mixed = [
        cell
        for cell, owners in found.items()
        if owners and not any(_kind([own[i]]) == now.classes[cell] for i in owners)
    ]
    rest = list(dict.fromkeys([*open_, *mixed]))
    if rest and reading is not None and all(term is not None for term in reading.terms):
        for i in range(len(own)):
            right = _holds(exam, reading, answer, level, rest, now, i)
            for cell, here in zip(rest, right, strict=True):
                if here and i not in found[cell]:
                    found[cell].append(i)
    return found


def _holds(
    exam: Examination, reading: Reading, answer: Answer, level: int, cells: Sequence[Cell], now: Filled, i: int
) -> np.ndarray:
    """(m,) bool: the cells whose box channels are those of object i, as the level writes boxes."""
    layout, grid, count = exam.layout, answer.levels[level].grid, len(cells)
    a, rows, columns = (np.array(part) for part in zip(*cells, strict=True))
    meant = intended(exam, level, rows, columns, answer, i)
    boxes = answer.probe.boxes[i : i + 1]
    boxes = reading.motion.apply(boxes, answer.probe.image_size) if reading.motion else boxes
    values = np.stack([now.boxes[cell] for cell in cells])
    table = Held(
        boxes=np.repeat(boxes, count, 0),
        sizes=np.tile(np.array(answer.probe.image_size, float), (count, 1)),
        grids=np.tile(grid, (count, 1)),
        here=np.stack((columns, rows), 1).astype(float),
        meant=meant,
        priors=layout.priors(level)[a],
        others={},
        values=values,
        ground=np.zeros_like(values),
        stride=layout.strides[level],
        strides=tuple(layout.strides),
    )
    table = viewed(table, reading.view)
    terms = [term for term in reading.terms if term is not None]
    sound = [not term.prefilled and not term.unit.name.startswith(("other", "opposite")) for term in terms]
    agreed = [term.agrees(table, channel) for channel, term in enumerate(terms) if sound[channel]]
    return np.asarray(np.stack(agreed).all(0)) if agreed else np.ones(count, bool)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((np.abs(one - other) <= 1e-4 + 1e-3 * np.abs(other)).all())


def _wrong(cell, level, classes, claims, whose, alike, kinds, answer) -> list[Fault]:
    """A cell that is no object's as a whole."""
    note = answer.probe.note
    place = {"cell": cell, "classes set": list(classes), "objects": note}
    most = max((len(kind) for kind in kinds if kind is not None), default=0)
    if not alike and len(classes) > most and claims and not whose:
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
            what = f"an object that shares cells with another has none, although {free[i]} of its cells are free"
            faults.append(Fault("object_lost", what, evidence={"box": box, "objects": note}))
        else:
            what = "objects that share all their cells: one of them has no target"
            faults.append(Fault("object_lost", what, severity="warning", evidence={"box": box, "objects": note}))
    return faults


def _crossed(one: Sequence[Filled], other: Sequence[Filled]) -> bool:
    return any(a.classes.keys() & b.classes.keys() for a, b in zip(one, other, strict=True))


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
