"""Ask a target encoder about objects of known place, size and class, and name the faults that its answers show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...findings import Report
from ..layout import TargetLayout
from . import borders, conduct, kinds, losing, raising, sharing, words
from . import probes as ask
from .anchoring import anchoring
from .asking import Answer, Asker
from .examination import Examination, examine, stored
from .faults import PLACING, Fault, codes, displacing
from .mapping import misplaced, place
from .reading import Reading
from .seeing import sense
from .several import neighbours
from .strides import agreeing, reversed_order
from .telling import read
from .verdict import settle
from .views import BOXES

FEWEST = 8
"""Answers that hold something, without which nothing is said of what is written."""


def check_targets(
    encode: Callable,
    layout: TargetLayout,
    *,
    image_sizes: Sequence[tuple[int, int]] = ((512, 512), (384, 640)),
    seed: int = 0,
) -> Report:
    """Name what is wrong with ``encode(boxes, labels, image_size)``, from its outputs alone.

    ``encode`` takes (n, 4) float xyxy px, (n,) int64 and (height, width), and returns what ``layout`` says: a tensor a
    level, or one for all. ``image_sizes``: a square one and one that is not show the most.
    Faults are errors, and one cause is one error; what a scheme cannot avoid is a warning. The doctor itself raises
    ValueError or TypeError only for arguments that make no sense.
    """
    if not callable(encode) or not isinstance(layout, TargetLayout):
        raise TypeError(f"A callable and a TargetLayout are needed, not {type(encode)} and {type(layout)}.")
    sizes = checked(image_sizes, layout)
    asker = Asker(encode, layout)
    found = _examined(asker, sizes, seed)
    notes = settle(found.faults, found.folded, asker.differential, len(layout.strides))
    return Report(
        subject="target encoder",
        findings=notes.findings(found.used),
        probes=asker.asked,
        description=found.description,
        unexplained=found.unexplained,
        runner_up=found.runner_up,
    )


@dataclass(frozen=True)
class Examined:
    """All faults, what a wrong placement explains, the levels in use, what is done and what comes next, in words."""

    faults: list[Fault]
    used: set[int]
    folded: list[str] = field(default_factory=list)
    description: str = ""
    unexplained: float | None = None
    runner_up: str = ""


def checked(image_sizes: Sequence[tuple[int, int]], layout: TargetLayout) -> tuple[tuple[int, int], ...]:
    """Image sizes as whole numbers; ValueError where the coarsest stride does not divide them."""
    sizes: Any = tuple(tuple(int(side) for side in size) for size in image_sizes)
    coarsest = max(layout.strides)
    if not sizes or any(len(s) != 2 or min(s) <= 0 or any(side % coarsest for side in s) for s in sizes):
        raise ValueError(
            f"image_sizes must be (height, width) in multiples of the coarsest stride {coarsest}, "
            f"but {list(image_sizes)} was given."
        )
    return sizes


def _examined(asker: Asker, sizes: tuple[tuple[int, int], ...], seed: int) -> Examined:
    """Ask, see what can be read, and judge it."""
    layout, every = asker.layout, set(range(len(asker.layout.strides)))
    label = layout.class_count // 2
    singles = [*ask.places(layout.strides, sizes, label, seed), *ask.edges(layout.strides, sizes, label)]
    singles += [*ask.beyond(layout.strides, sizes, label), *ask.classes(layout.strides, sizes, layout.class_count)]
    faults, blind = conduct.state(asker, singles[20], singles[33])
    answers = [] if asker.misfit else [asker.ask(probe) for probe in singles]
    if asker.misfit:
        return Examined([*faults, Fault("wrong_output", asker.misfit)], every)
    if all(answer.error is not None for answer in answers):
        return Examined([*faults, Fault("raises", f"every object makes it raise {answers[0].error}")], every)
    told, ended = conduct.shapes(answers, layout)
    faults += told
    if layout.axes.endswith("NC") and len(layout.strides) > 1 and sense(answers, layout) < 0.6:
        answers, turned = _coarse_first(asker, singles, answers)
        faults += turned
    if ended or blind or (asker.differential and _answered(answers) < FEWEST):
        return Examined(faults, every)
    return _judged(examine(asker, answers, sizes), asker, faults, seed)


def _answered(answers: list[Answer]) -> int:
    """How many answers hold anything."""
    return sum(any(len(level.index) for level in answer.levels) for answer in answers)


def _coarse_first(asker: Asker, singles: list, answers: list[Answer]) -> tuple[list[Answer], list[Fault]]:
    """The answers read with the last level first, where that makes much more sense."""
    asker.coarse_first = True
    asker.grounds.clear()
    others = [asker.ask(probe) for probe in singles]
    if sense(others, asker.layout) > sense(answers, asker.layout) + 0.2:
        return others, [Fault("levels_reversed", "the levels stand in the array coarsest first")]
    asker.coarse_first = False
    asker.grounds.clear()
    return answers, []


def _judged(exam: Examination, asker: Asker, before: list[Fault], seed: int) -> Examined:
    """Faults of what was written: places, boxes, classes, levels, several objects."""
    scrambled = stored(exam)
    faults = [*(kinds.sound_void(exam, asker, before) if scrambled else before), *scrambled]
    exam, readings, told = _placed(exam, codes(faults))
    faults += told
    faults += [*kinds.classes(exam), *kinds.objectness(exam), *sharing.levels(exam, asker, faults)]
    if not codes(faults) & {"wrong_box", "axes_swapped", "wrong_cell", "levels_reversed", "scrambled_layout"}:
        faults += anchoring(exam)
    placing = bool(codes(displacing(faults)) & set(PLACING))
    told, folded = raising.raised(exam, placing)
    faults += told
    told, more = losing.lost(exam, asker, placing)
    told += borders.border(exam, codes(displacing(faults + told)))
    faults += losing.on_purpose(exam, asker, told, placing)
    faults += borders.strays(exam, codes(displacing(faults)))
    told = neighbours(exam, asker, readings, codes(displacing(faults)), seed)
    faults += losing.beside_others(exam, asker, told)
    faults += conduct.calls(asker, exam.sizes, exam.layout.class_count // 2)
    return Examined(
        faults=faults,
        used=exam.used,
        folded=[*folded, *more],
        description=words.description(exam, readings),
        unexplained=words.unexplained(readings),
        runner_up=words.runner_up(exam, readings),
    )


def _placed(exam: Examination, known: set[str]) -> tuple[Examination, dict[int, Reading], list[Fault]]:
    """Cells and boxes; where both are of boxes that are moved as a whole, that alone."""
    first = agreeing(place(exam))
    cells = misplaced(first)
    readings, boxes = read(first, frozenset(known | codes(cells)))
    faded = frozenset(level for level, reading in readings.items() if reading.fades)
    if faded:
        first = agreeing(place(replace(first, faded=faded)))
        cells = misplaced(first)
    strayed = {fault.level for fault in boxes if fault.code == "wrong_stride"}
    cells = [fault for fault in cells if fault.code != "wrong_cell" or fault.level not in strayed]
    if reversed_order(first, readings):
        said = "levels work with each other's strides, in the opposite order"
        renamed = [
            replace(f, code="levels_reversed", what=said, level=None) for f in cells + boxes if f.code == "wrong_stride"
        ]
        return first, readings, [f for f in cells + boxes if f.code != "wrong_stride"] + renamed[:1]
    found = [reading.motion for reading in readings.values() if reading.motion is not None]
    views = [reading.view for reading in readings.values() if reading.view in ("scaled", "clipped")]
    if views and cells:
        moved = place(replace(exam, moved=BOXES[views[0]]))
        others = misplaced(moved)
        return (moved, readings, others + boxes) if len(others) < len(cells) else (first, readings, cells + boxes)
    if not found or not cells:
        return first, readings, cells + boxes
    moved = place(replace(exam, moved=found[0].apply))
    others = misplaced(moved)
    if len(others) >= len(cells):
        return first, readings, cells + boxes
    what = f"objects are encoded in another place: {found[0]}"
    return moved, readings, [*others, Fault("wrong_cell", what)]
