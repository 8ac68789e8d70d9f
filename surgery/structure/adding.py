"""A class added to a head: with the rows of another, or with rows that a few labelled boxes give."""

from collections.abc import Mapping, Sized
from typing import SupportsIndex, cast

import torch

from anatomy import Head, describe

from ..edit import Edit
from ..places import Place, here, places
from ..rows import Rows
from ..table import operation_of
from .applying import apply_whole, require_classes
from .prototype import Prototype


def add_class(model: object, name: str, *, from_: SupportsIndex | str | Prototype) -> Edit:
    """Add a class behind the others; returns the recorded edit.

    ``from_`` a class, by id or name: the new one has copies of its rows, so both have one score everywhere. That finds
    nothing new; it is a start for edits, or for a training. ``from_`` a ``Prototype`` (see ``surgery.prototype``): rows
    by a closed form from a few labelled boxes, worth what its evidence says. Raises ValueError for a name that there
    is, and for a prototype of another head.

    >>> surgery.add_class(model, "owl", from_=2) and model.names[3]
    'owl'
    """
    head = describe(model)
    require_classes(head)
    if isinstance(from_, Prototype):
        return _add(head, {"names": [name], "rows": packed(from_.rows), "evidence": from_.evidence.in_short()})
    return _add(head, {"names": [name], "source": from_})


def add_again(head: Head, edit: Edit) -> Edit:
    """Do to a head what an edit of a recipe says."""
    require_classes(head)
    return _add(head, dict(edit.parameters))


def _add(head: Head, values: Mapping) -> Edit:
    parameters = operation_of("add_class").read(values, head.names)
    if len(cast(Sized, parameters["names"])) != 1 or ("source" in parameters) == ("rows" in parameters):
        raise ValueError("An edit adds one class at a time, with the rows of another (source) or with its own (rows).")
    edit = Edit("add_class", levels=(), parameters=parameters)
    new = None if "source" in parameters else unpacked(head, parameters["rows"])
    return apply_whole(head, edit, new)


def packed(rows: Mapping[Place, Rows]) -> list:
    """Rows of one class by place as plain lists: [branch, level, weights, bias], which JSON holds exactly."""
    return [
        [branch, level, weight.double().flatten().tolist(), None if bias is None else float(bias)]
        for (branch, level), (weight, bias) in rows.items()
    ]


def unpacked(head: Head, given: object) -> dict[Place, Rows]:
    """The rows of one class by place; ValueError where they are not those of this head's places."""
    found = {}
    for branch, level, weights, bias in _entries(given):
        weight = torch.tensor(weights, dtype=torch.float64).float()
        found[branch, level] = weight, None if bias is None else torch.tensor([float(bias)])
    strange = [place for place in found if place[1] not in range(len(head.levels))]
    if strange:
        raise ValueError(f"The rows of the new class stand at {strange}, but this head has {len(head.levels)} levels.")
    missing = [place for place in places(head) if place not in found]
    if missing:
        raise ValueError(f"The rows of the new class lack {missing}: they were made for a head with other branches.")
    rows: dict[Place, Rows] = {}
    for place in places(head):
        weight, bias = here(head, place)
        new, new_bias = found[place]
        if new.numel() != weight[0].numel() or (bias is None) != (new_bias is None):
            raise ValueError(
                f"Rows of this head read {weight[0].numel()} numbers at {place}, but the new one reads {new.numel()}: "
                "it was made for another head. Make a prototype with this model."
            )
        if not bool(new.isfinite().all()):
            raise ValueError(f"The new row at {place} is infinite or NaN.")
        rows[place] = new.view(1, *weight.shape[1:]), new_bias
    return rows


def _entries(given: object) -> list:
    whole = isinstance(given, list | tuple) and all(
        isinstance(entry, list | tuple) and len(entry) == 4 for entry in given
    )
    if not isinstance(given, list | tuple) or not whole:
        raise ValueError("Rows of a new class are entries [branch, level, weights, bias], one a place.")
    for branch, level, weights, bias in given:
        if not isinstance(branch, str) or type(level) is not int or not isinstance(weights, list | tuple):
            raise ValueError("Rows of a new class are entries [branch, level, weights, bias]: a name, an id, a list.")
        if not all(map(_is_number, [*weights, 0.0 if bias is None else bias])):
            raise ValueError("The weights of a new class, and its biases, must be numbers.")
    return list(given)


def _is_number(value: object) -> bool:
    """Whether it is a number that a float can hold."""
    return type(value) is float or (type(value) is int and abs(value) < 1 << 1000)
