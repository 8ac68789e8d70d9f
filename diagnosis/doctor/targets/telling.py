"""What a level was found to write, as a reading and as faults in words."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..boxes.departing import departures
from ..boxes.departures import Choice
from ..boxes.motion import whole
from ..boxes.terms import Term
from .examination import Examination
from .faults import Fault
from .reading import Reading, Searched
from .saying import channels, names, told
from .searching import search, settled

CLOSE = 0.35
"""By how much less than the runner-up a choice may cost where that is told."""

WORDS = {
    "axes_swapped": "x and y change places",
    "half_cell_offset": "boxes are counted from a point half a cell away",
    "image_size_swapped": "the sides of the image change places",
    "levels_reversed": "boxes are held against the priors of the levels in the opposite order",
    "off_by_one_cell": "boxes are counted from a point a whole cell away",
    "saturated_offset": "the offset in the cell is cut, or stuck at one value",
    "scrambled_layout": "the grid of points was built as (rows, columns, 2) and viewed as (2, rows, columns)",
    "wrong_box": "box channels hold something else",
    "wrong_box_format": "boxes are in another format",
    "wrong_box_unit": "boxes are in another unit",
    "wrong_stride": "boxes are counted with another stride",
}


def read(exam: Examination, paid: frozenset[str]) -> tuple[dict[int, Reading], list[Fault]]:
    """How each level writes boxes, and where that is otherwise than declared; ``paid``: codes that cells have shown."""
    searched = search(exam, paid)
    choices = settled(searched, paid)
    readings = {level: one.reading for level, one in searched.items() if one.reading is not None}
    faults = [fault for one in searched.values() for fault in one.faults]
    for level, choice in choices.items():
        readings[level] = _reading(searched[level], choice)
        faults += _faults(exam, searched[level], choice, level, readings[level].share)
    if any(("wrong_box_unit", "priors of another level") in choice.departures for choice in choices.values()):
        # one level may chance upon its opposite's
        faults = [replace(f, code="wrong_box_unit") if f.code == "levels_reversed" else f for f in faults]
    return readings, faults


def _reading(one: Searched, choice: Choice) -> Reading:
    """The terms that were chosen, and those next to them where they cost little more."""
    right = [np.ones(len(one.held), bool)]
    right += [term.agrees(one.held, i) for i, term in enumerate(choice.terms) if term is not None]
    share = float(np.stack(right).all(0).mean())
    other = choice.runner_up
    close = other is not None and other.cost - choice.cost < CLOSE
    return Reading(choice.terms, share, view=one.view, runner_up=other.terms if close and other is not None else ())


def _faults(exam: Examination, one: Searched, choice: Choice, level: int, share: float) -> list[Fault]:
    """A fault for each code that a choice departs in."""
    called, stride = names(exam.layout), one.held.stride
    faults = []
    for code in choice.codes:
        shown = [
            term if any(part[0] == code for part in departures(wanted, term)) else None
            for term, wanted in _pairs(choice.terms, one.terms)
        ]
        what = f"{WORDS[code]}: {'; '.join(told(called, shown, stride) or told(called, choice.terms, stride))}"
        if code == "wrong_box" and None in choice.terms:
            what = (
                "the boxes are in whole px"
                if whole(one.held, one.terms)
                else channels(called, choice.terms, stride)[-1]
            )
        faults.append(Fault(code, what, level, evidence={"explained": round(share, 3)}, of_boxes=True))
    return faults


def _pairs(terms: Sequence[Term | None], declared: Sequence[Term]) -> Iterator[tuple[Term, Term]]:
    """Terms beside the declared ones, which stand for those that there are not."""
    return ((wanted if term is None else term, wanted) for term, wanted in zip(terms, declared, strict=True))
