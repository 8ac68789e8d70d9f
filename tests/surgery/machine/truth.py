"""The account of one network: its class rows, the edits that stand and what each left, as values that never change."""

from dataclasses import dataclass, replace

import numpy as np

from .arithmetic import Rows, Wanted, cast, effect, finite, same_bits
from .heads import Kind, Place


@dataclass(frozen=True)
class Refused:
    """What must be refused, with an error of one of these kinds and nothing changed."""

    why: str
    errors: tuple[type[BaseException], ...] = (ValueError,)


@dataclass(frozen=True)
class Entry:
    """An edit that stands, and the rows of each place that it went to, before it and after it."""

    edit: Wanted
    before: dict[Place, Rows]
    after: dict[Place, Rows]


@dataclass(frozen=True)
class State:
    """What is true of a network: rows of every live place, and the edits that stand, oldest first.

    ``original``: the rows before the first edit, or as a file or ``forget`` left them; None where nothing keeps them.
    """

    kind: Kind
    rows: dict[Place, Rows]
    entries: tuple[Entry, ...] = ()
    original: dict[Place, Rows] | None = None

    @property
    def branches(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(branch for branch, _ in self.rows))

    @property
    def dtype(self) -> np.dtype:
        return next(iter(self.rows.values()))[0].dtype

    def edited(self, edit: Wanted) -> "State | Refused":
        """The state after an edit, or the reason why it must be refused."""
        kind = self.kind
        if not set(edit.branches) <= set(self.branches):
            return Refused(f"of {edit.branches} only {self.branches} live")
        if kind.shared and len(edit.levels) < len(kind.levels):
            return Refused("the levels share one convolution")
        branches = edit.branches or self.branches
        before = {(branch, level): self.rows[branch, level] for branch in branches for level in edit.levels}
        after = {place: effect(rows, edit, kind.anchors) for place, rows in before.items()}
        for place, rows in after.items():
            if not finite(rows) and finite(before[place]):
                return Refused("a row would be infinite")
        entry = Entry(replace(edit, branches=branches), before, after)
        original = self.rows if self.original is None else self.original
        return replace(self, rows=self.rows | after, entries=(*self.entries, entry), original=original)

    def all_edited(self, edits) -> "State | Refused":
        """The state after several edits, all or none."""
        state = self
        for edit in edits:
            state = state.edited(edit)
            if isinstance(state, Refused):
                return state
        return state

    def undone(self, n: int, force: bool = False) -> "State | Refused":
        """The state after the last n edits are taken back; refused where rows are not those that an edit left."""
        if not 0 <= n <= len(self.entries):
            return Refused(f"{n} of {len(self.entries)} edits")
        rows = dict(self.rows)
        for entry in self.entries[::-1][:n]:
            for place in entry.before.keys() & rows.keys():
                if not force and not same_bits(cast(entry.after[place], self.dtype), rows[place]):
                    return Refused(f"the rows of {place} changed outside", (ValueError, RuntimeError))
                rows[place] = cast(entry.before[place], self.dtype)
        return replace(self, rows=rows, entries=self.entries[: len(self.entries) - n])

    def restored(self, entered: "State") -> "State":
        """The state after a scratch block that was entered in ``entered``."""
        entered = entered if entered.dtype == self.dtype else entered.passed(self.dtype)
        return replace(entered, rows={place: rows for place, rows in entered.rows.items() if place in self.rows})

    def forgotten(self) -> "State":
        return replace(self, entries=(), original=self.rows)

    def outside(self, rows: dict[Place, Rows]) -> "State":
        """The state after rows were changed by other means than surgery, or places removed."""
        return replace(self, rows=rows)

    def passed(self, dtype) -> "State":
        """The state after the whole network went through a dtype: what the record keeps comes back as if it had too."""
        entries = tuple(
            Entry(entry.edit, _all_cast(entry.before, dtype), _all_cast(entry.after, dtype)) for entry in self.entries
        )
        original = None if self.original is None else _all_cast(self.original, dtype)
        return replace(self, rows=_all_cast(self.rows, dtype), entries=entries, original=original)

    @property
    def fits_half(self) -> bool:
        """Whether float16 holds all rows, those of the record too: it ends at 65504."""
        kept = [
            self.rows,
            self.original or {},
            *(part for entry in self.entries for part in (entry.before, entry.after)),
        ]
        return all(finite(cast(rows, np.float16)) for part in kept for rows in part.values())

    def left(self) -> dict[Place, Rows]:
        """What the record leaves at each live place: the original, and over it what each edit made."""
        left = dict(self.original or self.rows)
        for entry in self.entries:
            left |= entry.after
        return {place: cast(left[place], self.dtype) for place in self.rows}

    @property
    def explained(self) -> bool:
        """Whether the rows are those that the edits left, and each edit found what the one before it had left."""
        left = self.left()
        unbroken = isinstance(self.undone(len(self.entries)), State)
        return not self.entries or (unbroken and all(same_bits(self.rows[place], left[place]) for place in left))


def _all_cast(rows: dict[Place, Rows], dtype) -> dict[Place, Rows]:
    return {place: cast(kept, dtype) for place, kept in rows.items()}
