"""The terms of four channels that depart least together from those that a layout declares."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from .departing import Departure, departures
from .held import SIZES
from .search import Fit
from .terms import Term


@dataclass(frozen=True)
class Choice:
    """Terms of the four channels (None: unexplained), what they depart in, and the cost of both.

    ``runner_up``: the next best choice that departs in something else, where there is one.
    """

    terms: tuple[Term | None, ...]
    departures: frozenset[Departure]
    cost: float
    runner_up: "Choice | None" = None

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the departures, in order."""
        return tuple(sorted({code for code, _ in self.departures if code}))


CODE, DETAIL, UNEXPLAINED = 1.0, 0.12, 2.5


def price(parts: frozenset[Departure], paid: frozenset[str]) -> float:
    """What departures cost together, those paid for elsewhere nearly nothing."""
    codes = {code for code, _ in parts if code}
    once = 0.6 * any(not code for code, _ in parts)
    return sum(0.1 if code in paid else CODE for code in codes) + DETAIL * len(parts) + once


def choose(
    fits: Sequence[Sequence[Fit]], declared: Sequence[Term], paid: frozenset[str] = frozenset(), keep: int = 6
) -> Choice:
    """The terms of four channels that depart least together from those declared."""
    options: list[list[tuple[Term | None, frozenset[Departure], float]]] = []
    for channel, term in enumerate(declared):
        mine = [
            (fit.term, departures(term, fit.term), 1 - fit.share + _bent(term, fit.term) + _odd(term, fit.term))
            for fit in fits[channel]
        ]
        mine.sort(key=lambda option: price(option[1], paid) + option[2])
        varied: dict = {}
        for option in mine:
            varied.setdefault(option[1], option)
        options.append(list(varied.values())[:keep] or [(None, frozenset({("wrong_box", "unexplained")}), UNEXPLAINED)])
    best: dict[tuple[str, ...], Choice] = {}
    for combination in product(*options):
        parts = _in_order(frozenset().union(*(option[1] for option in combination)), combination, declared)
        cost = price(parts, paid) + sum(option[2] for option in combination) + _mixed(combination, declared)
        choice = Choice(tuple(option[0] for option in combination), parts, cost)
        if choice.codes not in best or cost < best[choice.codes].cost:
            best[choice.codes] = choice
    if not best:
        raise ValueError("Four channels are needed, each with a declared term.")
    first, *rest = sorted(best.values(), key=lambda choice: choice.cost)[:2]
    return replace(first, runner_up=rest[0] if rest else None)


def _bent(declared: Term, found: Term) -> float:
    """A little for a function that changes nothing of what is there."""
    return 0.3 * (found.function != declared.function and found.function in ("clamp", "mod 1"))


def _odd(declared: Term, found: Term) -> float:
    """Next to nothing, so that of terms that say the same numbers the one in plainer words is told.

    Places are not halved by a wrong format.
    """
    return (
        0.01 * (found.quantity != declared.quantity)
        + 0.01 * (found.constant not in (None, 0.0, 1.0))
        + 0.05 * (found.quantity not in SIZES and found.function in ("half", "double"))
    )


TURNS = ((1, 0, 3, 2), (1, 0, 2, 3), (0, 1, 3, 2))
"""Orders of the four channels in which x and y alone change places."""


def _in_order(parts: frozenset[Departure], combination: Sequence, declared: Sequence[Term]) -> frozenset[Departure]:
    """The same, with channels that only change places, other than x and y, told as that alone."""
    wanted = [term.quantity for term in declared]
    found = [option[0].quantity for option in combination if option[0] is not None]
    if sorted(found) != sorted(wanted) or found == wanted:
        return parts
    if tuple(wanted.index(quantity) for quantity in found) in TURNS:
        return parts
    kept = {part for part in parts if part != ("axes_swapped", "quantity") and part[0] != "wrong_box_format"}
    return frozenset({*kept, ("wrong_box_format", "order")})


def _mixed(combination: Sequence, declared: Sequence[Term]) -> float:
    """A little for channels that do not do alike: x and y in another unit or by another function.

    Sizes alone that are twice or half as large are no other stride.
    """
    pairs = [(0, 1), (2, 3)]
    terms = [option[0] for option in combination]
    strides = [
        term is not None and term.unit.name == "stride" == wanted.unit.name and term.unit != wanted.unit
        for term, wanted in zip(terms, declared, strict=True)
    ]
    cost = 0.1 * (any(strides[2:]) and not any(strides[:2]) and declared[2].quantity in SIZES)
    for i, j in pairs:
        a, b = combination[i][0], combination[j][0]
        if a is None or b is None:
            continue
        cost += 0.05 * (a.function != b.function) + 0.05 * ((a.reference is None) != (b.reference is None))
        cost += 0.02 * (a.unit.name != b.unit.name and declared[i].unit.name == declared[j].unit.name)
    return cost
