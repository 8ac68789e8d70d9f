"""Box channels in words: what is said of x is not said again of y where y is written likewise."""

from collections.abc import Sequence
from dataclasses import replace

from ..boxes.held import axis_of
from ..boxes.terms import Term
from ..layout import TargetLayout

NAMES = {"cxcywh": ("x", "y", "w", "h"), "xywh": ("x", "y", "w", "h"), "xyxy": ("x1", "y1", "x2", "y2")}
ACROSS = {"cx": "cy", "cy": "cx", "x1": "y1", "y1": "x1", "x2": "y2", "y2": "x2", "w": "h", "h": "w", "": ""}


def names(layout: TargetLayout) -> tuple[str, ...]:
    """What the four box channels are called."""
    return NAMES.get(layout.format, ("left", "top", "right", "bottom"))


def channels(called: Sequence[str], terms: Sequence[Term | None], stride: float) -> list[str]:
    """What each channel holds, two a line where both do alike; channels without a term are unexplained."""
    lost = [name for name, term in zip(called, terms, strict=True) if term is None]
    return told(called, terms, stride) + ([f"nothing explains {_listed(lost)}"] if lost else [])


def told(called: Sequence[str], terms: Sequence[Term | None], stride: float) -> list[str]:
    """What those channels hold that have a term."""
    said = []
    for first, second in ((0, 1), (2, 3)):
        one, other = terms[first], terms[second]
        if one is not None:
            said.append(f"{called[first]} holds {own(one, stride)}")
        across = one is not None and one.quantity and axis_of(one.quantity) == 1
        if one is not None and other is not None and not across and alike(one, other):
            said[-1] += f", {called[second]} likewise"
        elif other is not None:
            said.append(f"{called[second]} holds {own(other, stride)}")
    return said


def alike(one: Term, other: Term) -> bool:
    """Whether a term says of y what another says of x."""
    turned = replace(one, quantity=ACROSS[one.quantity], unit=replace(one.unit, name=_across(one.unit.name)))
    if one.constant is not None:
        turned = replace(turned, quantity=other.quantity)
    return turned == other


def _across(name: str) -> str:
    if "width" in name:
        return name.replace("width", "height")
    return name.replace("height", "width")


def own(term: Term, stride: float) -> str:
    """The term, with the level's own stride unnamed, so that levels that do alike read alike."""
    return str(term).replace(f" (cells of {stride:g} px)", "").replace(f"strides of {stride:g} px", "strides")


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1]
