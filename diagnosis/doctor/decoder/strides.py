"""Cells of one level that are decoded with strides of several."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..boxes.motion import boxes as meant_boxes
from ..boxes.terms import Term
from .seen import ENOUGH, Reason, Seen


def strided(seen: Seen) -> Reason | None:
    """Each box as it is with the stride of some level, points and sizes, or either of them."""
    for what, kinds in _kinds(seen):
        right = np.zeros(len(seen.came), bool)
        for terms in kinds:
            with np.errstate(all="ignore"):
                right |= seen.agrees(seen.came, meant_boxes(seen.given, terms))
        if right.mean() >= ENOUGH:
            words = f"{what} of this level's cells come out with the strides of several levels"
            return Reason(("wrong_stride",), words, float(right.mean()))
    return None


def _kinds(seen: Seen) -> Iterator[tuple[str, list[tuple[Term, ...]]]]:
    strides = seen.given.strides
    for what, points, lengths in (("boxes", True, True), ("lengths", False, True), ("points", True, False)):
        yield what, [_with(seen.terms, stride, points, lengths) for stride in strides]


def _with(terms: Sequence[Term], stride: float, points: bool, lengths: bool) -> tuple[Term, ...]:
    """The terms with another stride."""
    found = []
    for term in terms:
        if points and term.reference is not None:
            term = replace(term, reference=replace(term.reference, pitch=stride))
        if lengths and term.unit.name == "stride":
            term = replace(term, unit=replace(term.unit, factor=stride))
        found.append(term)
    return tuple(found)
