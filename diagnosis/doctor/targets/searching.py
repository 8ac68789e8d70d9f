"""What each level writes into its box channels: as declared, or the terms that depart from that least together."""

from collections.abc import Sequence
from dataclasses import replace

from ..boxes.departures import Choice, choose, price
from ..boxes.held import Held
from ..boxes.lines import lines
from ..boxes.scaling import scaled
from ..boxes.search import all_fits, every_fit
from ..boxes.terms import Term, declared
from .at_once import as_another, as_declared, explains, in_a_view, in_fewer_digits, moved
from .examination import Examination
from .faults import Fault
from .reading import Searched, meant
from .tables import held
from .views import VIEWS, viewed

VIEW_FROM = 1.5
"""The cost of terms from which on they are held against other views of the boxes as well."""


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
        if one.choice is not None and explains(one.held, one.choice.terms):
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


def _search(
    table: Held, terms: tuple[Term, ...], level: int, paid: frozenset[str], known: Sequence[Searched]
) -> Searched:
    """The declaration, a view of the boxes, what other levels do, or the terms that fit each channel."""
    plain = as_declared(table, terms) or in_a_view(table, terms, level) or in_fewer_digits(table, terms, level)
    if plain is not None:
        return plain
    one = as_another(table, terms, paid, known)
    if one is not None:
        return one
    found = list(every_fit(table, terms))
    both = list(dict.fromkeys((*terms, *map(meant, terms))))
    found = [fit or scaled(table, channel, both) for channel, fit in enumerate(found)]
    if not all(found):
        other = moved(table, terms, level) or moved(table, tuple(map(meant, terms)), level)
        if other is not None:
            return replace(other, held=table, terms=terms)
        found = [fit or lines(table, channel) for channel, fit in enumerate(found)]
    choice = choose(found, terms, paid)
    return _in_other_view(Searched(table, terms, fits=tuple(found), choice=choice), level, paid)


def _in_other_view(one: Searched, level: int, paid: frozenset[str]) -> Searched:
    """The channels as terms of boxes of an image whose sides are exchanged, where that departs less."""
    if one.choice is None or one.choice.cost < VIEW_FROM or (one.held.sizes[:, 0] == one.held.sizes[:, 1]).all():
        return one
    best, least = one, one.choice.cost
    for name, (code, what) in VIEWS.items():
        if code != "image_size_swapped":
            continue
        seen = viewed(one.held, name)
        found = tuple(all_fits(seen, one.terms))
        if not found:
            continue
        choice = choose(found, one.terms, paid)
        cost = choice.cost + price(frozenset({(code, name)}), paid)
        if cost < least:
            least = cost
            best = replace(one, held=seen, fits=found, choice=choice, faults=(Fault(code, what, level),), view=name)
    return best
