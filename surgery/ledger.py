"""The ledger of edits: writes an edit to every place that must carry it, all or nothing, and keeps what was there."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from anatomy import Head, describe, whole_number

from .edit import Edit
from .rows import Rows, edited

Place = tuple[str, int]  # branch, level


@dataclass(frozen=True)
class Record:
    """An edit that was applied, and the rows (clones) that stood at each place before it."""

    edit: Edit
    before: dict[Place, Rows]


@dataclass
class Ledger:
    """What has been done to one network: applied edits, oldest first, and every class row as it was at the start."""

    baseline: dict[Place, Rows]
    records: list[Record] = field(default_factory=list)


_ledgers: weakref.WeakKeyDictionary[nn.Module, Ledger] = weakref.WeakKeyDictionary()


def ledger(head: Head) -> Ledger:
    """The ledger of this head's network; opened, with the rows as they are, at the first call."""
    if head.net not in _ledgers:
        _ledgers[head.net] = Ledger({place: clone(head, place) for place in places(head)})
    return _ledgers[head.net]


def apply(head: Head, edit: Edit) -> Edit:
    """Apply an edit to a network, to every live branch it names (all by default) and to what ``predict()`` runs.

    All or nothing: new rows are computed and checked before any is written, and an interruption restores them.
    Returns the edit as recorded. Raises ValueError when it would split a class convolution that levels share, or
    make a row infinite or NaN.
    """
    edit = replace(edit, branches=_branches(head, edit))
    before = {place: clone(head, place) for place in _places_of(head, edit)}
    after = {place: edited(*rows, edit, head.anchors_per_cell) for place, rows in before.items()}
    _check_finite(head, edit, before, after)
    with rollback(head, before):
        _write(head, after)
        ledger(head).records.append(Record(edit, before))
    return edit


def history(model) -> tuple[Edit, ...]:
    """The edits applied to this model and not undone, oldest first."""
    return tuple(record.edit for record in ledger(describe(model)).records)


def undo(model, n: int = 1) -> tuple[Edit, ...]:
    """Take back the last n edits, bit for bit; returns them, newest first. ValueError when fewer are recorded."""
    head = describe(model)
    done = ledger(head).records
    n = whole_number(n, "The number of edits to undo")
    if not 0 <= n <= len(done):
        raise ValueError(f"{len(done)} edit(s) are recorded, so 0 to {len(done)} can be undone, but {n} was asked.")
    taken = done[len(done) - n :][::-1]
    rows = {place: kept for record in taken for place, kept in record.before.items()}
    with rollback(head):
        _write(head, alive(head, rows))
        del done[len(done) - n :]
    return tuple(record.edit for record in taken)


def reset(model) -> tuple[Edit, ...]:
    """Take back every edit; returns them, newest first."""
    return undo(model, len(ledger(describe(model)).records))


@contextmanager
def scratch(model) -> Iterator:
    """Whatever happens to class rows inside the block is gone after it, however it ends; blocks can be nested.

    Rows and history are put back bit for bit, rows changed by hand included. The value is ``model``.
    """
    head = describe(model)
    rows = {place: clone(head, place) for place in places(head)}
    done = list(ledger(head).records)
    try:
        yield model
    finally:
        try:
            _put_back(describe(model), rows, done)
        except KeyboardInterrupt:
            _put_back(describe(model), rows, done)
            raise


@contextmanager
def rollback(head: Head, rows: dict[Place, Rows] | None = None) -> Iterator[None]:
    """On any exception in the block, an interruption too, class rows and history are as they were.

    ``rows`` are those that the block can change, as they are; every one by default.
    """
    if rows is None:
        rows = {place: clone(head, place) for place in places(head)}
    done = list(ledger(head).records)
    try:
        yield
    except BaseException:
        _put_back(head, rows, done)
        raise


def _put_back(head: Head, rows: dict[Place, Rows], done: list[Record]) -> None:
    _write(head, alive(head, rows))
    ledger(head).records[:] = done


def _branches(head: Head, edit: Edit) -> tuple[str, ...]:
    if not set(edit.branches) <= set(head.branches):
        raise ValueError(f"The live branches are {list(head.branches)}, but the edit names {list(edit.branches)}.")
    return edit.branches or head.branches


def _places_of(head: Head, edit: Edit) -> list[Place]:
    found = []
    for branch in edit.branches:
        for level in edit.levels:
            shared = head.sharing(level, branch)
            if not set(shared) <= set(edit.levels):
                names = ", ".join(head.levels[index].name for index in shared)
                raise ValueError(
                    f"The levels {names} share one class convolution, so an edit of {head.levels[level].name} alone "
                    "would change them all. Give level='all', or a head with a convolution for each level."
                )
            if shared[0] == level:
                found.append((branch, level))
    return found


def places(head: Head) -> list[Place]:
    return [(branch, level.index) for branch in head.branches for level in head.levels]


def alive(head: Head, rows: dict[Place, Rows]) -> dict[Place, Rows]:
    """Only the places whose branch has not been removed since (``fuse()`` drops one of two)."""
    return {place: kept for place, kept in rows.items() if place[0] in head.branches}


def clone(head: Head, place: Place) -> Rows:
    conv = head.class_conv(place[1], place[0])
    return conv.weight.detach().clone(), None if conv.bias is None else conv.bias.detach().clone()


def _check_finite(head: Head, edit: Edit, before: dict[Place, Rows], after: dict[Place, Rows]) -> None:
    for (branch, level), rows in after.items():
        dtypes = {conv.weight.dtype for conv in (head.class_conv(level, branch), *head.twins(level, branch))}
        for new, old in zip(rows, before[branch, level], strict=True):
            for dtype in dtypes:
                if new is not None and not _finite(new.to(dtype)) and _finite(old.to(dtype)):
                    raise ValueError(
                        f"{edit} would make rows of level {level} infinite in {dtype}. Nothing is changed."
                    )


def _finite(values: Tensor) -> bool:
    """Whether every value is finite; their sum tells at once, unless it overflows itself."""
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def _write(head: Head, rows: dict[Place, Rows]) -> None:
    """Copy rows into the network and into the copies that ``predict()`` runs, keeping every tensor's identity."""
    for (branch, level), (weight, bias) in rows.items():
        for conv in (head.class_conv(level, branch), *head.twins(level, branch)):
            _copy(conv.weight, weight)
            if bias is not None:
                _copy(conv.bias, bias)


def _copy(target: Tensor, source: Tensor) -> None:
    with torch.inference_mode(target.is_inference()), torch.no_grad():
        target.copy_(source)
