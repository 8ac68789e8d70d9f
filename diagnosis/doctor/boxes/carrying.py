"""Terms of one level, as another level would have them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from .points import Reference, Unit
from .terms import Term


def carried(terms: Sequence[Term | None], stride: float, other: float) -> Iterator[tuple[Term | None, ...]]:
    """The same with the ``other`` stride for the level's own, and lengths beside it in proportion, or as they were."""
    if any(term is not None and term.unit.name.startswith(("other", "opposite")) for term in terms):
        return
    for whole in (True, False):
        yield tuple(None if term is None else _carry(term, stride, other, whole) for term in terms)


def _carry(term: Term, stride: float, other: float, whole: bool) -> Term:
    def px(length: float) -> float:
        return length * other / stride if whole or length == stride else length

    def point(at: Reference | None) -> Reference | None:
        return None if at is None else replace(at, pitch=px(at.pitch))

    unit = Unit("stride", px(term.unit.factor)) if term.unit.name == "stride" else term.unit
    if term.unit.name.startswith("prior ") and term.unit.factor in (stride, 1 / stride):
        unit = replace(unit, factor=other if term.unit.factor == stride else 1 / other)
    return replace(
        term,
        unit=unit,
        reference=point(term.reference),
        added=point(term.added),
        inner=None if term.inner is None else px(term.inner),
    )
