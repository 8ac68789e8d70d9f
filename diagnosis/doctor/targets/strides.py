"""Levels that work with each other's strides, or shift their cells as another level does."""

from dataclasses import replace

from ..boxes.search import matching
from ..boxes.terms import Term, declared
from .examination import Examination
from .reading import RIGHT, Reading, meant
from .tables import held


def agreeing(exam: Examination) -> Examination:
    """The maps, with another level's shift where the boxes of a level agree with that and with no shift of its own."""
    maps = dict(exam.maps)
    for level, found in exam.maps.items():
        shifts = {other.shift for other in exam.maps.values()} - {found.shift}
        terms = declared(exam.layout, level)
        if not shifts or all(term.reference is None for term in terms) or _right(exam, level, terms):
            continue
        for shift in sorted(shifts):
            other = replace(exam, maps={**exam.maps, level: replace(found, shift=shift)})
            if _right(other, level, terms):
                maps[level] = other.maps[level]
                break
    return replace(exam, maps=maps)


def _right(exam: Examination, level: int, terms: tuple[Term, ...]) -> bool:
    """Whether boxes are as declared, from the cells that were meant."""
    table = held(exam, level)
    return table is None or matching(table, tuple(map(meant, terms))).mean() >= RIGHT


def reversed_order(exam: Examination, readings: dict[int, Reading]) -> bool:
    """Whether levels work with each other's strides: each one that is wrong, or whose partner cannot be read."""
    strides, believed = exam.layout.strides, {}
    for level, found in exam.maps.items():
        shown = _pitch(readings.get(level), strides[level])
        if shown is not None or found.fit >= 0.7:
            believed[level] = shown or found.stride
    wrong = {level for level, stride in believed.items() if stride != strides[level]}
    for level in wrong:
        partner = len(strides) - 1 - level
        found = exam.maps.get(partner)
        kept = partner in believed and partner not in wrong and found is not None and found.seen >= 12
        if believed[level] != strides[partner] or (kept and found is not None and found.fit >= 0.85):
            return False
    return bool(wrong)


def _pitch(reading: Reading | None, stride: float) -> float | None:
    """The stride that a level's terms show, where it is another."""
    for term in reading.terms if reading else ():
        if term is None:
            continue
        if term.reference is not None and abs(term.reference.pitch - stride) > 1e-6 and term.reference.pitch > 1:
            return term.reference.pitch
        if term.unit.name == "stride" and term.unit.factor != stride:
            return term.unit.factor
    return None
