"""Why boxes come out otherwise than they were given: the least departure that explains them all."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..boxes.departures import choose
from ..boxes.motion import ceiling, motion, whole
from ..boxes.search import all_fits
from ..boxes.terms import Term
from .activations import activated
from .apart import apart
from .curves import curved
from .forms import forms
from .mingled import mingled
from .other_cells import elsewhere
from .points import pointed
from .priors import sized
from .seen import Reason, Seen
from .strides import strided

FEW = 8
"""A ceiling at so many strides, or at half of that for distances, is an error, above it a warning."""


def reason(seen: Seen) -> Reason | None:
    """The first that explains nearly all of: a ceiling, another form given out, activations, cells, terms, a motion."""
    for found in (
        _ceiling,
        forms,
        _rounded,
        activated,
        elsewhere,
        sized,
        apart,
        _terms,
        pointed,
        _moved,
        strided,
        curved,
        mingled,
    ):
        explained = found(seen)
        if explained is not None:
            return explained
    return None


def _ceiling(seen: Seen) -> Reason | None:
    top = _top(seen) or _top(seen.take(seen.inside))
    if top is None:
        return None
    stride = seen.given.stride
    return Reason(
        codes=("range_ceiling",),
        words=f"no side or distance comes out larger than {top:.1f} px, {top / stride:.2f} strides",
        share=1.0,
        severity="error" if top <= 1.01 * FEW * stride * (0.5 if seen.terms[0].sign < 0 else 1.0) else "warning",
        evidence={"ceiling_px": top, "strides": top / stride},
    )


def _top(seen: Seen) -> float | None:
    if len(seen.came) < 4:
        return None
    return ceiling(replace(seen.given, values=_written(seen)), seen.terms)


def _written(seen: Seen) -> np.ndarray:
    """(n, 4): the channels in which an encoder as declared would have written what came."""
    with np.errstate(all="ignore"):
        return np.nan_to_num(np.stack([term.predict(seen.taken, i) for i, term in enumerate(seen.terms)], 1))


def _rounded(seen: Seen) -> Reason | None:
    """Whole px: rounded is a matter of taste, cut is up to a px too far up and left."""
    if not whole(replace(seen.given, values=_written(seen)), seen.terms):
        return None
    if np.abs(seen.came - seen.given.boxes).max() > 0.51:
        return Reason(("wrong_box",), "boxes are cut to whole px, up to a px beside those given", 1.0)
    return Reason(("wrong_box",), "boxes come out in whole px", 1.0, severity="warning")


NAMES = ("first", "second", "third", "fourth")


def _terms(seen: Seen) -> Reason | None:
    """Each channel by itself, and the four together, in the grammar of encoders."""
    extended = (seen.came[:, 2:] != seen.came[:, :2]).any(1)  # a point fits the infinite logarithms of anything
    inside = seen.take(seen.inside & extended & (np.abs(seen.came).max(1) < 1e7))
    if len(inside.came) < 4:
        return None
    held = inside.taken
    found = all_fits(held, seen.terms)
    if not found:
        return None
    choice = choose(found, seen.terms)
    if not choice.codes:
        return None
    terms = [
        (name, term)
        for name, term, wanted in zip(NAMES, choice.terms, seen.terms, strict=True)
        if term and term != wanted
    ]
    said = "; ".join(f"the {name} channel is read as if it held {_own(term, held.stride)}" for name, term in terms)
    agree = np.stack([term.agrees(held, i) for i, term in enumerate(choice.terms) if term is not None]).all(0)
    stride = choice_stride(choice.terms, held.stride)
    return Reason(choice.codes, said, float(agree.mean()), stride=stride, partly="wrong_box" in choice.codes)


def choice_stride(terms: Sequence[Term | None], own: float) -> float | None:
    """The stride that terms speak of, where it is another than the level's own."""
    for term in terms:
        if term is not None and term.unit.name == "stride" and term.unit.factor != own:
            return term.unit.factor
        if term is not None and term.reference is not None and term.reference.pitch not in (own, 1e-9):
            return term.reference.pitch
    return None


def _own(term: Term, stride: float) -> str:
    """The term, with the level's own stride unnamed, so that levels that do alike read alike."""
    return str(term).replace(f" (cells of {stride:g} px)", "").replace(f"strides of {stride:g} px", "strides")


def _moved(seen: Seen) -> Reason | None:
    inside = seen.take(seen.inside)
    if len(inside.came) < FEW:
        return None
    found = motion(replace(inside.given, values=_written(inside)), seen.terms)
    return None if found is None else Reason(("wrong_box",), f"boxes come out moved: {found}", 0.95)
