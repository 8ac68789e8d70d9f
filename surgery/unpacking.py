"""The record of edits that a file carries, checked against the head that it is for, and made an object again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from anatomy import Head

from .edit import Edit, edited
from .places import Place, fits, sets
from .record import Ledger, Record
from .rows import Rows
from .structure.state import ClassState, States

MOST_ROWS = 1 << 16  # of one class; genuine ones have a few


@dataclass(frozen=True)
class _Standing:
    """How the classes stood at some time: how many, how many rows fed each, how many towers stood side by side."""

    classes: int
    each: int
    towers: int

    @classmethod
    def of(cls, state: ClassState) -> "_Standing":
        return cls(classes=len(state.names), each=state.rows_per_class, towers=state.towers)


def unpack(entry: object, head: Head) -> Ledger:
    """The ledger of a file's entry, whose rows must fit this head; raises ValueError naming what is wrong with it.

    An entry without ``after`` is of an earlier version: what each edit left is computed anew.
    """
    try:
        return _unpack(entry, head)
    except (TypeError, LookupError, AttributeError, RuntimeError) as error:
        raise ValueError(f"The record of edits cannot be read: {type(error).__name__}: {error}.") from error


def _unpack(entry: object, head: Head) -> Ledger:
    if not isinstance(entry, Mapping):
        raise ValueError(f"The record of edits must be a mapping, but it is a {type(entry).__name__}.")
    missing = {"edits", "before", "baseline"} - set(entry)
    if missing:
        raise ValueError(f"The record of edits lacks {sorted(missing)}.")
    columns = [_listed(entry, name) for name in ("edits", "before", *(["after"] if "after" in entry else []))]
    if len({len(column) for column in columns}) != 1:
        raise ValueError(
            "The record of edits must hold rows for each edit, but there are "
            f"{', '.join(f'{len(column)}' for column in columns)} of edits, rows before and rows after."
        )
    states = _states(entry, len(columns[0]))
    standing = _standing(head, states)
    book = Ledger(_rows(head, entry["baseline"], "of the original", standing[0]))
    for index, parts in enumerate(zip(*columns, strict=True)):
        record = _record(head, index, standing[index : index + 2], states[index], *parts)
        lacking = sorted(set(record.before) - set(book.baseline))
        if lacking:
            raise ValueError(f"The record of edits lacks the original rows of {lacking}, which an edit changed.")
        book.records.append(replace(record, before=book.linked(record.before)))
    whole = [pair for pair in states if pair is not None]
    if whole:
        book.state = whole[-1][1]
        book.names = _names(entry.get("names"), standing[0].classes)
    return book


def _record(
    head: Head, index: int, standing: list[_Standing], states: States | None, edit, before, after=None
) -> Record:
    what = f"edit {index} of the record"
    edit = _edit(head, edit, what, standing[0].classes)
    before = _rows(head, before, f"before {what}", standing[0])
    levels = edit.levels or tuple(level.index for level in head.levels)
    named = set(product(edit.branches, levels))
    if not before or not set(before) <= named:
        raise ValueError(f"The rows before {what} stand at {sorted(before)}, but the edit goes to {sorted(named)}.")
    if after is None:
        after = {place: edited(*rows, edit, sets(head, rows), head.rows_per_class) for place, rows in before.items()}
    else:
        after = _rows(head, after, f"after {what}", standing[1])
    if set(after) != set(before):
        raise ValueError(f"The rows before {what} stand at {sorted(before)}, those after it at {sorted(after)}.")
    return Record(edit, before, after, states)


def _edit(head: Head, entry, what: str, classes: int | None = None) -> Edit:
    try:
        edit = Edit.from_dict(entry)
    except ValueError as error:
        raise ValueError(f"{what} is none. {error}") from error
    classes = len(head.names) if classes is None else classes
    for name, values, count in (("level", edit.levels, len(head.levels)), ("class", edit.classes, classes)):
        wrong = [value for value in values if type(value) is not int or not 0 <= value < count]
        if wrong:
            raise ValueError(f"{what} names the {name} {wrong[0]!r}, but there are 0 to {count - 1}.")
    return edit


def _states(entry: Mapping, count: int) -> list[States | None]:
    """How each edit of whole classes found and left them; None for each other edit, and of an earlier version."""
    given = entry.get("states")
    if given is None:
        return [None] * count
    if not isinstance(given, list | tuple) or len(given) != count:
        raise ValueError(f"The record must say for each of {count} edits how it left the classes.")
    return [None if pair is None else (_state(pair[0]), _state(pair[1])) for pair in given]


def _state(entry: Mapping) -> ClassState:
    numbers = entry["rows_per_class"], entry["towers"]
    if any(type(number) is not int or not 1 <= number < MOST_ROWS for number in numbers):
        raise ValueError(f"The record says that {numbers} rows feed a class and towers stand side by side.")
    names, extras = entry["names"], entry["extras"]
    for value in extras.values():
        if not _is_rows(value) or len(value) != len(names):
            raise ValueError(f"The record holds what should have a row for each of {len(names)} classes, and has not.")
    return ClassState(
        names=_names(names, len(names)), rows_per_class=numbers[0], towers=numbers[1], extras=dict(extras)
    )


def _names(given: object, count: int) -> tuple[str, ...]:
    whole = isinstance(given, list | tuple) and len(given) == count > 0
    if not isinstance(given, list | tuple) or not whole or not all(isinstance(name, str) for name in given):
        raise ValueError(f"The record must hold {count} names of classes.")
    return tuple(given)


def _now(head: Head) -> _Standing:
    return _Standing(classes=len(head.names), each=head.rows_per_class, towers=head.class_towers)


def _standing(head: Head, states: list[States | None]) -> list[_Standing]:
    """How the classes stood before each edit, and after the last; those of the head as it is now."""
    found = [_now(head)]
    for pair in reversed(states):
        if pair is not None:
            left = _Standing.of(pair[1])
            if left != found[0]:
                raise ValueError(f"The record left {left}, but then the classes stood as {found[0]}.")
        found.insert(0, found[0] if pair is None else _Standing.of(pair[0]))
    return found


def _listed(entry: Mapping, name: str) -> list:
    if not isinstance(entry[name], (list, tuple)):
        raise ValueError(f"{name!r} in the record of edits must be a list, but it is a {type(entry[name]).__name__}.")
    return list(entry[name])


def _rows(head: Head, entries, what: str, standing: _Standing | None = None) -> dict[Place, Rows]:
    """Rows by place, each of the shape that the head had at its level, whether its branch is live or was removed."""
    if not isinstance(entries, (list, tuple)):
        raise ValueError(f"The rows {what} must be a list, but they are a {type(entries).__name__}.")
    found, standing = {}, standing or _now(head)
    for entry in entries:
        if not isinstance(entry, (list, tuple)) or len(entry) != 4:
            raise ValueError(f"The rows {what} must each be [branch, level, weight, bias].")
        branch, level, weight, bias = entry
        if not isinstance(branch, str) or type(level) is not int or not 0 <= level < len(head.levels):
            raise ValueError(f"The rows {what} name branch {branch!r} and level {level!r}, which this head has not.")
        if not _is_rows(weight) or not (bias is None or _is_rows(bias)):
            raise ValueError(f"The rows {what} at {branch}, level {level}, are no tensors of real numbers.")
        conv = head.class_conv(level, branch if branch in head.branches else head.branches[0])
        if not _had_shape(head, conv, (weight, bias), branch, standing):
            raise ValueError(
                f"The rows {what} at {branch}, level {level}, have the shapes {_shapes(weight, bias)}, but this head "
                f"has {_shapes(conv.weight, conv.bias)}."
            )
        found[branch, level] = weight, bias
    return found


def _had_shape(head: Head, conv, rows: Rows, branch: str, standing: _Standing) -> bool:
    """Whether rows have the shape that those of a head had as its classes stood then."""
    weight, bias = rows
    count = standing.classes * standing.each * sets(head, (conv.weight, conv.bias))
    if bias is not None and bias.shape != weight.shape[:1]:
        return False
    if branch not in head.branches:
        return len(weight) == count
    if count == len(conv.weight) and standing.towers == head.class_towers:
        return fits(conv, rows)
    fewer = weight.ndim == conv.weight.ndim and weight.shape[2:] == conv.weight.shape[2:]
    same = standing.towers == head.class_towers and weight.shape[1] == conv.weight.shape[1]
    narrower = standing.towers < head.class_towers and weight.shape[1] < conv.weight.shape[1]
    return len(weight) == count and fewer and (same or narrower) and (bias is None) == (conv.bias is None)


def _shapes(*parts: Tensor | None) -> list[tuple[int, ...] | None]:
    return [None if part is None else tuple(part.shape) for part in parts]


def _is_rows(value) -> bool:
    return (
        isinstance(value, Tensor)
        and value.is_floating_point()
        and value.layout is torch.strided
        and value.device.type != "meta"
        and value.ndim > 0
    )
