"""What each level writes into its box channels: as declared, or the terms that depart from that least together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..boxes.carrying import carried
from ..boxes.departures import Choice, choose, price
from ..boxes.held import Held
from ..boxes.lines import lines
from ..boxes.motion import Motion, ceiling, motion
from ..boxes.scaling import scaled, shortened
from ..boxes.search import Fit, fits, matching
from ..boxes.terms import KEPT_SPOKEN, Term, declared
from .examination import Examination
from .faults import Fault
from .tables import held
from .views import VIEWS, viewed

RIGHT = 0.95
VIEW_FROM = 1.5
"""The cost of terms from which on they are held against other views of the boxes as well."""
CLOSE = 0.35
"""By how much less than the runner-up a choice may cost where that is told."""


@dataclass(frozen=True, eq=False)
class Reading:
    """How one level writes boxes: ``terms`` (None: unexplained), the ``view`` of the boxes that they speak of.

    ``share`` of the cells is explained; ``motion``: the boxes are moved before all else. ``runner_up``: other terms
    that explain the level nearly as simply.
    """

    terms: tuple[Term | None, ...]
    share: float
    view: str = ""
    motion: Motion | None = None
    runner_up: tuple[Term | None, ...] = ()

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


def search(exam: Examination, paid: frozenset[str]) -> dict[int, Searched]:
    """What explains each level that shows boxes; ``paid``: codes that cells have shown.

    Levels with the most cells come first, and what they show is tried on the others before all else is.
    """
    tables = {level: table for level in sorted(exam.used) if (table := held(exam, level)) is not None}
    found: dict[int, Searched] = {}
    known: list[Searched] = []
    for level in sorted(tables, key=lambda level: -len(tables[level])):
        one = _search(tables[level], declared(exam.layout, level), level, paid, known)
        found[level] = one
        if one.choice is not None and _explains(one.held, one.choice.terms):
            known.append(one)
    return {level: found[level] for level in sorted(found)}


def settled(searched: dict[int, Searched], paid: frozenset[str]) -> dict[int, Choice]:
    """The choice of each level without a reading; a departure that one shows costs the others little."""
    first = {level: one.choice for level, one in searched.items() if one.choice is not None}
    found = {}
    for level, choice in first.items():
        one = searched[level]
        others = {code for other, mine in first.items() if other != level for code in mine.codes}
        found[level] = choose(one.fits, one.terms, paid | others) if others - paid else choice
    return found


def _explains(table: Held, terms: Sequence[Term | None]) -> bool:
    sure = [term for term in terms if term is not None]
    return len(sure) == 4 and float(matching(table, sure).mean()) >= RIGHT


def _search(
    table: Held, terms: tuple[Term, ...], level: int, paid: frozenset[str], known: Sequence[Searched]
) -> Searched:
    """The declaration, a view of the boxes, what other levels do, or the terms that fit each channel."""
    plain = _as_declared(table, terms) or _in_a_view(table, terms, level) or _shortened(table, terms, level)
    if plain is not None:
        return plain
    one = _as_another(table, terms, paid, known)
    if one is not None:
        return one
    found = [fits(table, channel, term) for channel, term in enumerate(terms)]
    both = list(dict.fromkeys((*terms, *map(meant, terms))))
    found = [fit or scaled(table, channel, both) for channel, fit in enumerate(found)]
    if not all(found):
        other = _moved(table, terms, level) or _moved(table, tuple(map(meant, terms)), level)
        if other is not None:
            return replace(other, held=table, terms=terms)
        found = [fit or lines(table, channel) for channel, fit in enumerate(found)]
    choice = choose(found, terms, paid)
    return _in_other_view(Searched(table, terms, fits=tuple(found), choice=choice), level, paid)


def _as_declared(table: Held, terms: tuple[Term, ...]) -> Searched | None:
    """As declared, from the cells that are filled or from those that were meant; too few cells are believed."""
    options = (terms, tuple(map(meant, terms)))
    shares = {option: float(matching(table, option).mean()) for option in options}
    best = max(shares, key=lambda option: shares[option])
    if shares[best] >= RIGHT:
        return Searched(table, terms, reading=Reading(best, shares[best]))
    return Searched(table, terms, reading=Reading(terms, shares[terms])) if len(table) < 4 else None


def _in_a_view(table: Held, terms: tuple[Term, ...], level: int) -> Searched | None:
    """As declared, of boxes that were changed before."""
    for name, (code, what) in _views(table):
        seen = viewed(table, name)
        for option in (terms, tuple(map(meant, terms))):
            share = float(matching(seen, option).mean())
            if share >= RIGHT:
                reading = Reading(option, share, view=name)
                return Searched(table, terms, reading=reading, faults=(Fault(code, what, level),))
    return None


def _views(table: Held) -> Iterator[tuple[str, tuple[str, str]]]:
    """Those that could show: of exchanged sides on oblong images alone."""
    oblong = bool((table.sizes[:, 0] != table.sizes[:, 1]).any())
    return ((name, said) for name, said in VIEWS.items() if oblong or said[0] != "image_size_swapped")


def _shortened(table: Held, terms: tuple[Term, ...], level: int) -> Searched | None:
    """As declared, kept in fewer digits."""
    for option in (terms, tuple(map(meant, terms))):
        for kept, short in shortened(option):
            share = float(matching(table, short).mean())
            if share >= RIGHT:
                fault = Fault("wrong_box", f"all box channels are {KEPT_SPOKEN[kept]}", level)
                return Searched(table, terms, reading=Reading(short, share), faults=(fault,))
    return None


def _as_another(
    table: Held, terms: tuple[Term, ...], paid: frozenset[str], known: Sequence[Searched]
) -> Searched | None:
    """The terms of another level, with this level's stride for its own."""
    for other in known:
        seen = viewed(table, other.view)
        if other.choice is None or other.view:
            continue
        for option in carried(other.choice.terms, other.held.stride, table.stride):
            if _explains(seen, option):
                found = tuple([Fit(term, 1.0)] for term in option if term is not None)
                return Searched(seen, terms, fits=found, choice=choose(found, terms, paid))
    return None


def _in_other_view(one: Searched, level: int, paid: frozenset[str]) -> Searched:
    """The channels as terms of boxes of an image whose sides are exchanged, where that departs less."""
    if one.choice is None or one.choice.cost < VIEW_FROM or (one.held.sizes[:, 0] == one.held.sizes[:, 1]).all():
        return one
    best, least = one, one.choice.cost
    for name, (code, what) in VIEWS.items():
        if code != "image_size_swapped":
            continue
        seen = viewed(one.held, name)
        found = tuple(fits(seen, channel, term) for channel, term in enumerate(one.terms))
        choice = choose(found, one.terms, paid)
        cost = choice.cost + price(frozenset({(code, name)}), paid)
        if all(found) and cost < least:
            least = cost
            best = replace(one, held=seen, fits=found, choice=choice, faults=(Fault(code, what, level),), view=name)
    return best


def meant(term: Term) -> Term:
    """The same from the cell that the encoder meant to write."""
    return term if term.reference is None else replace(term, reference=replace(term.reference, cell="meant"))


def _moved(table: Held, terms: tuple[Term, ...], level: int) -> Searched | None:
    """Boxes cut at a ceiling, or moved as a whole; where they grow with the stride alone, another stride."""
    top = ceiling(table, terms)
    if top is not None:
        what = f"no side or distance is greater than {top:.4g} px, {top / table.stride:.3g} strides"
        fault = Fault("range_ceiling", what, level, evidence={"ceiling_px": top})
        return Searched(table, terms, reading=Reading(terms, 1.0, view="ceiling"), faults=(fault,))
    found = motion(table, terms)
    if found is None:
        return None
    other = _by_stride(table, terms, found)
    if other is not None:
        return other
    fault = Fault("wrong_box", f"boxes are moved: {found}", level)
    return Searched(table, terms, reading=Reading(terms, 1.0, motion=found), faults=(fault,))


def _by_stride(table: Held, terms: tuple[Term, ...], found: Motion) -> Searched | None:
    """As declared with another stride, where that is all by which boxes grow."""
    if found.scale is None or all(term.reference is None and term.unit.name != "stride" for term in terms):
        return None
    stride = round(table.stride / found.scale, 2)
    option = next(carried(terms, table.stride, stride))
    if not _explains(table, option):
        return None
    shown = tuple([Fit(term, 1.0)] for term in option if term is not None)
    return Searched(table, terms, fits=shown, choice=choose(shown, terms))
