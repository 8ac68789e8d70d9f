"""The record of what was done to one network, as an object, and as the plain data that files carry."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product

import torch
from torch import Tensor

from anatomy import Head

from .bits import equal
from .edit import Edit, edited
from .places import Place, fits, sets
from .rows import Rows

KEY = "surgery"  # where the record lies in a checkpoint


@dataclass(frozen=True)
class Record:
    """An edit that was applied, and the rows that stood at each place before it and that it left there.

    Nothing writes into these tensors, so that copies of the record share them.
    """

    edit: Edit
    before: dict[Place, Rows]
    after: dict[Place, Rows]


@dataclass
class Ledger:
    """What has been done to one network: applied edits, oldest first, and the class rows of the original.

    ``baseline`` is empty until there is an original: the rows before the first edit, or as a file held them.
    ``told``: the state of foreign rows that a warning was given of.
    """

    baseline: dict[Place, Rows] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    told: str = ""

    def newest(self, place: Place) -> Rows | None:
        """The rows that the record left at a place: of its newest edit there, or the original."""
        for record in reversed(self.records):
            if place in record.after:
                return record.after[place]
        return self.baseline.get(place)

    def linked(self, before: dict[Place, Rows]) -> dict[Place, Rows]:
        """These rows, those that are what the record left being the very same tensors: kept once, told at a glance."""
        found = {}
        for place, rows in before.items():
            left = self.newest(place)
            found[place] = left if left is not None and equal(rows, left) else rows
        return found

    def copy(self) -> "Ledger":
        """Another ledger with the same edits and rows; what is done to it does not reach this one."""
        return Ledger(dict(self.baseline), list(self.records), self.told)

    def take(self, other: "Ledger") -> None:
        """Become what the other one is."""
        self.baseline, self.records, self.told = dict(other.baseline), list(other.records), other.told

    def plain(self) -> dict | None:
        """The ledger as plain data for a pickle; None where it holds no original."""
        return pack(self) if self.baseline else None


def pack(book: Ledger) -> dict:
    """A ledger as plain data and tensors on the CPU, for a checkpoint; what records share is written once."""
    shared: dict[int, Tensor] = {}
    return {
        "edits": [record.edit.to_dict() for record in book.records],
        "before": [_packed(record.before, shared) for record in book.records],
        "after": [_packed(record.after, shared) for record in book.records],
        "baseline": _packed(book.baseline, shared),
    }


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
    book = Ledger(_rows(head, entry["baseline"], "of the original"))
    for index, parts in enumerate(zip(*columns, strict=True)):
        record = _record(head, index, *parts)
        lacking = sorted(set(record.before) - set(book.baseline))
        if lacking:
            raise ValueError(f"The record of edits lacks the original rows of {lacking}, which an edit changed.")
        book.records.append(replace(record, before=book.linked(record.before)))
    return book


def _record(head: Head, index: int, edit, before, after=None) -> Record:
    what = f"edit {index} of the record"
    edit = _edit(head, edit, what)
    before = _rows(head, before, f"before {what}")
    named = set(product(edit.branches, edit.levels))
    if not before or not set(before) <= named:
        raise ValueError(f"The rows before {what} stand at {sorted(before)}, but the edit goes to {sorted(named)}.")
    if after is None:
        after = {place: edited(*rows, edit, sets(head, rows)) for place, rows in before.items()}
    else:
        after = _rows(head, after, f"after {what}")
    if set(after) != set(before):
        raise ValueError(f"The rows before {what} stand at {sorted(before)}, those after it at {sorted(after)}.")
    return Record(edit, before, after)


def _edit(head: Head, entry, what: str) -> Edit:
    try:
        edit = Edit.from_dict(entry)
    except ValueError as error:
        raise ValueError(f"{what} is none. {error}") from error
    for name, values, count in (("level", edit.levels, len(head.levels)), ("class", edit.classes, len(head.names))):
        wrong = [value for value in values if type(value) is not int or not 0 <= value < count]
        if wrong:
            raise ValueError(f"{what} names the {name} {wrong[0]!r}, but there are 0 to {count - 1}.")
    return edit


def _listed(entry: Mapping, name: str) -> list:
    if not isinstance(entry[name], (list, tuple)):
        raise ValueError(f"{name!r} in the record of edits must be a list, but it is a {type(entry[name]).__name__}.")
    return list(entry[name])


def _packed(rows: dict[Place, Rows], shared: dict[int, Tensor]) -> list:
    found = []
    for (branch, level), (weight, bias) in rows.items():
        found.append([branch, level, _once(weight, shared), None if bias is None else _once(bias, shared)])
    return found


def _once(part: Tensor, shared: dict[int, Tensor]) -> Tensor:
    """The tensor on the CPU: the same one for every record that holds it."""
    return shared.setdefault(id(part), part.detach().cpu())


def _rows(head: Head, entries, what: str) -> dict[Place, Rows]:
    """Rows by place, each of the shape that the head has at its level, whether its branch is live or was removed."""
    if not isinstance(entries, (list, tuple)):
        raise ValueError(f"The rows {what} must be a list, but they are a {type(entries).__name__}.")
    found = {}
    for entry in entries:
        if not isinstance(entry, (list, tuple)) or len(entry) != 4:
            raise ValueError(f"The rows {what} must each be [branch, level, weight, bias].")
        branch, level, weight, bias = entry
        if not isinstance(branch, str) or type(level) is not int or not 0 <= level < len(head.levels):
            raise ValueError(f"The rows {what} name branch {branch!r} and level {level!r}, which this head has not.")
        if not _is_rows(weight) or not (bias is None or _is_rows(bias)):
            raise ValueError(f"The rows {what} at {branch}, level {level}, are no tensors of real numbers.")
        conv = head.class_conv(level, branch if branch in head.branches else head.branches[0])
        whole = fits(conv, (weight, bias)) if branch in head.branches else len(weight) == len(conv.weight)
        if not whole or (bias is not None and bias.shape != weight.shape[:1]):
            raise ValueError(
                f"The rows {what} at {branch}, level {level}, have the shapes {_shapes(weight, bias)}, but this head "
                f"has {_shapes(conv.weight, conv.bias)}."
            )
        found[branch, level] = weight, bias
    return found


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
