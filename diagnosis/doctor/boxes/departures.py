"""In what the terms of four channels depart from those that a layout declares, and what that costs together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from .held import SIZES, axis_of
from .points import Reference
from .search import Fit
from .terms import Term

Departure = tuple[str, str]
"""A code, and what sets it apart from others of that code."""

KINDS = {"cx": "centre", "cy": "centre", "x1": "low", "y1": "low", "x2": "high", "y2": "high", "w": "size", "h": "size"}


def departures(declared: Term, found: Term) -> frozenset[Departure]:
    """What is otherwise than declared in one channel."""
    if declared == found:
        return frozenset()
    parts = [*_quantity(declared, found), *_function(declared, found), *_unit(declared, found)]
    if found.constant is None and found.function not in ("clamp", "mod 1"):
        parts += _reference(declared, found)
    else:
        parts += [part for part in _grid(found) if part[0] == "scrambled_layout"]
    if found.outer is not None:
        parts.append(("saturated_offset", "strides added to px"))
    if found.prefilled:
        parts.append(("", "prefilled"))
    return frozenset(parts)


def _quantity(declared: Term, found: Term) -> Iterator[Departure]:
    if found.constant is not None:
        return
    if (found.sign == declared.sign or not found.reference) and found.quantity == declared.quantity:
        return
    across = axis_of(found.quantity) != axis_of(declared.quantity)
    alike = KINDS[found.quantity] == KINDS[declared.quantity]
    if alike:
        yield ("axes_swapped", "quantity") if across else ("wrong_box_format", "sign")
    else:
        yield "wrong_box_format", f"{KINDS[declared.quantity]} {KINDS[found.quantity]}" if not across else "order"


def _function(declared: Term, found: Term) -> Iterator[Departure]:
    if found.constant is not None or (found.function == "clamp" and found.function != declared.function):
        yield "saturated_offset", "constant" if found.constant is not None else found.function
    elif found.function == "mod 1" and found.function != declared.function:
        yield "wrong_box", "counted from the cell of the centre, not from the cell that holds it"
    elif found.function != declared.function:
        code = {"half": "wrong_box_format", "double": "wrong_box_format", "negated": "wrong_box_format"}
        code |= {"floor": "wrong_box", "round": "wrong_box"}
        yield code.get(found.function, "wrong_box_unit"), found.function
    if found.gain != 1:
        yield "wrong_box_unit", "times"
    if found.kept:
        yield "wrong_box", found.kept


def _unit(declared: Term, found: Term) -> Iterator[Departure]:
    one, other = declared.unit, found.unit
    if one == other or (found.constant == 0 and found.added is None):
        return
    sides = {"width", "height"}
    if {one.name, other.name} == sides:
        swapped = axis_of(declared.quantity) != axis_of(found.quantity or declared.quantity)
        if not swapped:
            yield "image_size_swapped", f"unit {other.name}"
    elif one.name == other.name == "stride":
        yield "wrong_stride", f"{other.factor:g}"
    elif {one.name, other.name} == {"prior width", "prior height"} and one.factor == other.factor:
        if axis_of(declared.quantity) == axis_of(found.quantity or declared.quantity):
            yield "axes_swapped", "priors"
    elif other.name.startswith("opposite level"):
        yield "levels_reversed", "priors"
    elif other.name.startswith("other level"):
        yield "wrong_box_unit", "priors of another level"
    elif other.name.startswith("other anchor"):
        yield "wrong_box", "priors"
    else:
        yield "wrong_box_unit", f"{one.name} {other.name} {other.factor:.3g}" if other.name != one.name else other.name


def _reference(declared: Term, found: Term) -> Iterator[Departure]:
    yield from _grid(found)
    if found.quantity in ("w", "h"):
        return
    one, other = declared.reference, None if found.reference == found.added else found.reference
    if found.added is not None and found.added != found.reference:
        inside = found.reference
        if one is None and inside is not None and inside != found.added:
            yield from _points(inside, found.added)
        return
    if (one is None) != (other is None):
        if other is not None and other.pitch < 1e-6:
            yield from _shift(other.offset * other.pitch, None)
        else:
            yield "wrong_box_format", "relative"
    elif one is not None and other is not None:
        yield from _points(one, other)


def _grid(found: Term) -> Iterator[Departure]:
    for point in (found.reference, found.added):
        if point is not None and point.cell.startswith("grid"):
            yield "scrambled_layout", "grid"
        elif point is not None and point.cell == "crossed":
            yield "axes_swapped", "anchors"


def _points(one: Reference, other: Reference) -> Iterator[Departure]:
    if abs(one.pitch - other.pitch) > 1e-6:
        yield "wrong_stride", f"{other.pitch:g}"
        return
    yield from _shift((other.offset - one.offset) * one.pitch, one.pitch)


def _shift(px: float, stride: float | None) -> Iterator[Departure]:
    cells = px / stride if stride else 0.0
    if stride and abs(cells) < 0.02:
        return
    if stride and abs(abs(cells) - 1) < 0.02:
        yield "off_by_one_cell", f"{cells:g}"
    elif stride and abs(abs(cells) % 1 - 0.5) < 0.02:
        yield "half_cell_offset", f"{cells:g}"
    else:
        yield "wrong_box", f"moved by {px:.4g} px"


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

    Sizes alone that are twice or half as large are no other stride.
    """
    stride = found.quantity in SIZES and found.unit.name == "stride" == declared.unit.name
    return (
        0.01 * (found.quantity != declared.quantity)
        + 0.01 * (found.constant not in (None, 0.0, 1.0))
        + 0.05 * (stride and found.unit != declared.unit)
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
    """A little for channels that do not do alike: x and y in another unit or by another function."""
    pairs = [(0, 1), (2, 3)]
    cost = 0.0
    for i, j in pairs:
        a, b = combination[i][0], combination[j][0]
        if a is None or b is None:
            continue
        cost += 0.05 * (a.function != b.function) + 0.05 * ((a.reference is None) != (b.reference is None))
        cost += 0.02 * (a.unit.name != b.unit.name and declared[i].unit.name == declared[j].unit.name)
    return cost
