"""What explains the four box channels of a level at once, without a search channel by channel."""

from collections.abc import Iterator, Sequence

from ..boxes.carrying import carried
from ..boxes.departures import choose
from ..boxes.held import Held
from ..boxes.motion import Motion, ceiling, motion
from ..boxes.scaling import shortened
from ..boxes.search import Fit, matching
from ..boxes.terms import KEPT_SPOKEN, Term
from .faults import Fault
from .reading import RIGHT, Reading, Searched, meant
from .views import VIEWS, viewed


def explains(table: Held, terms: Sequence[Term | None]) -> bool:
    sure = [term for term in terms if term is not None]
    return len(sure) == 4 and float(matching(table, sure).mean()) >= RIGHT


def as_declared(table: Held, terms: tuple[Term, ...]) -> Searched | None:
    """As declared, from the cells that are filled or from those that were meant; too few cells are believed."""
    options = (terms, tuple(map(meant, terms)))
    shares = {option: float(matching(table, option).mean()) for option in options}
    best = max(shares, key=lambda option: shares[option])
    if shares[best] >= RIGHT:
        return Searched(table, terms, reading=Reading(best, shares[best], plain=True))
    return Searched(table, terms, reading=Reading(terms, shares[terms])) if len(table) < 4 else None


def in_a_view(table: Held, terms: tuple[Term, ...], level: int) -> Searched | None:
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


def in_fewer_digits(table: Held, terms: tuple[Term, ...], level: int) -> Searched | None:
    """As declared, kept in fewer digits."""
    for option in (terms, tuple(map(meant, terms))):
        for kept, short in shortened(option):
            share = float(matching(table, short).mean())
            if share >= RIGHT:
                fault = Fault("wrong_box", f"all box channels are {KEPT_SPOKEN[kept]}", level)
                return Searched(table, terms, reading=Reading(short, share), faults=(fault,))
    return None


def as_another(
    table: Held, terms: tuple[Term, ...], paid: frozenset[str], known: Sequence[Searched]
) -> Searched | None:
    """The terms of another level, with this level's stride for its own."""
    for other in known:
        seen = viewed(table, other.view)
        if other.choice is None or other.view:
            continue
        for option in carried(other.choice.terms, other.held.stride, table.stride):
            if explains(seen, option):
                found = tuple([Fit(term, 1.0)] for term in option if term is not None)
                return Searched(seen, terms, fits=found, choice=choose(found, terms, paid))
    return None


def moved(table: Held, terms: tuple[Term, ...], level: int) -> Searched | None:
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
    if not explains(table, option):
        return None
    shown = tuple([Fit(term, 1.0)] for term in option if term is not None)
    return Searched(table, terms, fits=shown, choice=choose(shown, terms))
