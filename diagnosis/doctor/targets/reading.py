"""How one level writes boxes, and what is found on the way there."""

from dataclasses import dataclass, replace

from ..boxes.departures import Choice
from ..boxes.held import Held
from ..boxes.motion import Motion
from ..boxes.search import Fit
from ..boxes.terms import Term
from .faults import Fault

RIGHT = 0.95
"""The share of cells that an explanation of a level must explain."""


@dataclass(frozen=True, eq=False)
class Reading:
    """How one level writes boxes: ``terms`` (None: unexplained), the ``view`` of the boxes that they speak of.

    ``share`` of the cells is explained; ``motion``: the boxes are moved before all else. ``runner_up``: other terms
    that explain the level nearly as simply. ``plain``: all is as declared.
    """

    terms: tuple[Term | None, ...]
    share: float
    view: str = ""
    motion: Motion | None = None
    runner_up: tuple[Term | None, ...] = ()
    plain: bool = False

    @property
    def fades(self) -> bool:
        """Whether small numbers of a box may be written as nothing."""
        return any(term is not None and term.fades for term in self.terms)


@dataclass(frozen=True, eq=False)
class Searched:
    """One level's channels, the terms declared, those that fit each channel, and the first ``choice`` among these.

    ``reading``: where a view, a motion or the declaration itself makes all right. ``view``: that of the boxes in
    ``held``, which the fits speak of.
    """

    held: Held
    terms: tuple[Term, ...]
    fits: tuple[list[Fit], ...] = ()
    choice: Choice | None = None
    reading: Reading | None = None
    faults: tuple[Fault, ...] = ()
    view: str = ""


def meant(term: Term) -> Term:
    """The same from the cell that the encoder meant to write."""
    return term if term.reference is None else replace(term, reference=replace(term.reference, cell="meant"))
