"""What a level was found to write, as a reading and as faults in words."""

from dataclasses import replace

import numpy as np

from ..boxes.departures import Choice
from ..boxes.motion import whole
from .examination import Examination
from .faults import Fault
from .reading import CLOSE, Reading, Searched, search, settled

WORDS = {
    "axes_swapped": "x and y change places",
    "wrong_box_format": "boxes are written in another format",
    "wrong_box_unit": "boxes are written in another unit",
    "saturated_offset": "an offset is cut or stuck",
}
CHANNELS = ("first", "second", "third", "fourth")


def read(exam: Examination, paid: frozenset[str]) -> tuple[dict[int, Reading], list[Fault]]:
    """How each level writes boxes, and where that is otherwise than declared; ``paid``: codes that cells have shown."""
    searched = search(exam, paid)
    choices = settled(searched, paid)
    readings = {level: one.reading for level, one in searched.items() if one.reading is not None}
    faults = [fault for one in searched.values() for fault in one.faults]
    for level, choice in choices.items():
        readings[level] = _reading(searched[level], choice)
        faults += _faults(searched[level], choice, level, readings[level].share)
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


def _faults(one: Searched, choice: Choice, level: int, share: float) -> list[Fault]:
    """A fault for each code that a choice departs in."""
    said = [
        f"the {name} channel holds {term}"
        for name, term, wanted in zip(CHANNELS, choice.terms, one.terms, strict=True)
        if term is not None and term != wanted
    ]
    lost = [name for name, term in zip(CHANNELS, choice.terms, strict=True) if term is None]
    faults = []
    for code in choice.codes:
        what = "; ".join(said) or WORDS.get(code, code)
        if code == "wrong_box" and lost:
            what = f"nothing explains the {' and '.join(lost)} channel"
            if whole(one.held, one.terms):
                what = "the boxes are in whole px"
        faults.append(Fault(code, what, level, evidence={"explained": round(share, 3)}, of_boxes=True))
    return faults
