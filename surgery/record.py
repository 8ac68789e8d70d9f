"""The record of what was done to one network, as an object, and as plain data for the files that carry it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .bits import equal
from .edit import Edit
from .places import Place
from .rows import Rows
from .structure.state import ClassState, States

KEY = "surgery"  # where the record lies in a checkpoint


@dataclass(frozen=True)
class Record:
    """An edit that was applied, and the rows that stood at each place before it and that it left there.

    Nothing writes into these tensors, so that copies of the record share them. ``states``: how the classes stood
    before and after an edit that made them others; ``kept``: what stood there of the network itself, for as long as it
    is the one that was edited (``Head.kept_classes``).
    """

    edit: Edit
    before: dict[Place, Rows]
    after: dict[Place, Rows]
    states: States | None = None
    kept: Any = None


@dataclass
class Ledger:
    """What has been done to one network: applied edits, oldest first, and the class rows of the original.

    ``baseline`` is empty until there is an original: the rows before the first edit, or as a file held them.
    ``told``: the state of foreign rows that a warning was given of. ``names``: of the classes of the original, where
    they were made others since. ``state``: how the newest edit of whole classes left them; None before the first.
    """

    baseline: dict[Place, Rows] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    told: str = ""
    names: tuple[str, ...] = ()
    state: ClassState | None = None

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

    def names_then(self, now: Mapping[int, str]) -> tuple[Mapping[int, str], ...]:
        """Of each edit the names by id of the classes that it was made on; ``now``: those that there are."""
        found: list[Mapping[int, str]] = []
        for record in reversed(self.records):
            now = now if record.states is None else dict(enumerate(record.states[0].names))
            found.append(now)
        return tuple(reversed(found))

    def copy(self) -> "Ledger":
        """Another ledger with the same edits and rows; what is done to it does not reach this one."""
        return Ledger(dict(self.baseline), list(self.records), self.told, self.names, self.state)

    def take(self, other: "Ledger") -> None:
        """Become what the other one is."""
        self.baseline, self.records, self.told = dict(other.baseline), list(other.records), other.told
        self.names, self.state = other.names, other.state

    def state_before(self, record: Record) -> ClassState | None:
        """How the edits of whole classes before this one left them; None where it is the first."""
        found = None
        for entry in self.records:
            if entry is record:
                break
            found = found if entry.states is None else entry.states[1]
        return found

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
        **_packed_states(book, shared),
    }


def _packed_states(book: Ledger, shared: dict[int, Tensor]) -> dict:
    """How edits of whole classes found and left them, None for any other edit; nothing where there is none of them."""
    if not any(record.states for record in book.records):
        return {}
    states = [[_packed_state(state, shared) for state in record.states or ()] or None for record in book.records]
    return {"states": states, "names": list(book.names)}


def _packed_state(state: ClassState, shared: dict[int, Tensor]) -> dict:
    return {
        "names": list(state.names),
        "rows_per_class": state.rows_per_class,
        "towers": state.towers,
        "extras": {name: _once(value, shared) for name, value in state.extras.items()},
    }


def _packed(rows: dict[Place, Rows], shared: dict[int, Tensor]) -> list:
    found = []
    for (branch, level), (weight, bias) in rows.items():
        found.append([branch, level, _once(weight, shared), None if bias is None else _once(bias, shared)])
    return found


def _once(part: Tensor, shared: dict[int, Tensor]) -> Tensor:
    """The tensor on the CPU: the same one for every record that holds it."""
    return shared.setdefault(id(part), part.detach().cpu())
