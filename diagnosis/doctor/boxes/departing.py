"""In what one channel departs from the term that a layout declares for it."""

from collections.abc import Iterator

from .held import axis_of
from .points import Reference
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
