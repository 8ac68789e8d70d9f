"""The ledger of edits: writes an edit to every place that must carry it, all or nothing, and keeps what was there."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import torch
from torch import Tensor

from anatomy import Head, UnsupportedModelError, describe, whole_number
from anatomy.head.endings import ending_with, to_the_end
from anatomy.head.mark import mark_of
from anatomy.head.text_fold import TextFold

from .edit import Edit, edited
from .memory import ended, forget_end, ledger, tell_end
from .places import Apart, Place, alive, all_rows, clone, fits, out_of_step, put, sets, write
from .record import Ledger, Record
from .rows import Rows
from .standing import Broken, RecordError, RecordWarning, as_passed, broken, drifted, fingerprint, in_words, through
from .structure.state import States, stand_again

Model = TypeVar("Model")


def apply(head: Head, edit: Edit) -> Edit:
    """Apply an edit to a network, to every live branch it names (all by default) and to what ``predict()`` runs.

    All or nothing: new rows are computed and checked before any is written, and an interruption restores them.
    Returns the edit as recorded. Raises ValueError when it would split a class convolution that levels share, or
    make a row infinite or NaN.
    """
    edit = replace(edit, branches=_branches(head, edit))
    with head.undisturbed():
        book = ledger(head)
        before = book.linked({place: clone(head, place) for place in _places_of(head, edit)})
        after = {place: edited(*rows, edit, sets(head, rows), head.rows_per_class) for place, rows in before.items()}
        check_finite(head, edit, before, after)
        with rollback(head, before):
            for place, rows in (before if book.baseline else all_rows(head) | before).items():
                book.baseline.setdefault(place, rows)
            write(head, after)
            book.records.append(Record(edit, before, after))
    return edit


def history(model: object) -> tuple[Edit, ...]:
    """The edits applied to this model and not undone, oldest first.

    Warns (RecordWarning, once a state) when the rows are not those that these edits left, as after a training step or
    ``load_state_dict``, and when a record ended because the model object was given another network.

    >>> surgery.history(model)
    ()
    """
    head = describe(model)
    book = ledger(head)
    tell_end(head, stacklevel=2)
    if book.records:
        _tell_drift(head, book)
    return tuple(record.edit for record in book.records)


def names_then(model: object) -> tuple[Mapping[int, str], ...]:
    """Of each edit of ``history`` the names by id of the classes that it was made on, by which ``tell`` tells it."""
    head = describe(model)
    return ledger(head).names_then(head.names)


def undo(model: object, n: int = 1, *, force: bool = False) -> tuple[Edit, ...]:
    """Take back the last n edits, bit for bit; returns them, newest first. ValueError when fewer are recorded.

    Where ``fold_text`` came before them, it counts as the oldest, and is none of those that are returned.

    Raises RecordError (a RuntimeError), and changes nothing, where the rows are not those that these edits left:
    something else has written them since. ``force=True`` writes the rows before the edits all the same. Where the
    network has passed a coarser dtype since the newest edit (``half().float()``, a float16 file), the rows come back as
    if they had too.

    >>> edit = surgery.mute_level(model, "P5")
    >>> len(surgery.undo(model))
    1
    """
    head = describe(model)
    n = whole_number(n, "The number of edits to undo")
    with head.undisturbed():
        return _undo(head, n, force)


def _undo(head: Head, n: int, force: bool) -> tuple[Edit, ...]:
    book = ledger(head)
    folded = head.text_fold is not None
    if not 0 <= n <= len(book.records) + folded:
        count = len(book.records) + folded
        lost = ended(head)
        raise ValueError(
            f"{count} edit(s) are recorded, so 0 to {count} can be undone, but {n} was asked."
            + (f" The record of {lost} more ended when the network was replaced (train, load)." if lost else "")
        )
    taken = book.records[max(len(book.records) - n, 0) :][::-1]
    rows: dict[Place, Rows] = {}
    for record in taken:
        rows.update(record.before)  # of several edits at a place, the oldest is last
    whole = [record for record in taken if record.states is not None]
    rows = as_passed(alive(head, rows), through(head, book))
    _check_shapes(head, _left(taken))
    if not force:
        _check_unbroken(head, broken(head, book, n), n)
    with rollback(head, whole=bool(whole)):
        for oldest in whole[-1:]:
            stand_again(head, cast(States, oldest.states)[0], rows, oldest.kept)
            book.state = book.state_before(oldest)
        write(head, rows)
        if n > len(book.records):
            fold_anew(head, None)
        del book.records[max(len(book.records) - n, 0) :]
    return tuple(record.edit for record in taken)


def _left(taken: list[Record]) -> dict[Place, Rows]:
    """What the newest of these edits, newest first, left at each place."""
    found: dict[Place, Rows] = {}
    for record in taken:
        found = record.after | found
    return found


def reset(model: object, *, force: bool = False) -> tuple[Edit, ...]:
    """Take back every edit; returns them, newest first. Errors and ``force`` as in ``undo``.

    >>> surgery.reset(model)
    ()
    """
    head = describe(model)
    with head.undisturbed():
        return _undo(head, len(ledger(head).records) + (head.text_fold is not None), force)


def forget(model: object) -> tuple[Edit, ...]:
    """Drop the record and keep the rows: as they are they become the original. Returns the edits that it held.

    >>> gone = surgery.forget(model)
    """
    head = describe(model)
    with head.undisturbed():
        book = ledger(head)
        dropped = tuple(record.edit for record in book.records)
        anew = Ledger(all_rows(head), names=tuple(head.names.values()), state=book.state)
        to_the_end(lambda: (book.take(anew), forget_end(head), setattr(mark_of(head.net), "fold", None)))
    return dropped


@contextmanager
def scratch(model: Model) -> Iterator[Model]:
    """Whatever happens to class rows inside the block is gone after it, however it ends; blocks can be nested.

    Rows and history are put back bit for bit, rows changed by hand included, on the network that was entered and on
    what ``predict()`` runs of it; so are the classes themselves, where they were kept, merged, renamed or added. Warns
    (RecordWarning) when the model has another network by then: that one is left as it is. The value is ``model``.

    >>> with surgery.scratch(model):
    ...     surgery.mute_level(model, "P5").operation
    'mute_level'
    >>> surgery.history(model)
    ()
    """
    head = describe(model)
    try:
        with restored(head, all_rows(head), [], always=True, whole=True):
            yield model
    finally:
        if not _still_holds(model, head):
            warnings.warn(
                "The model was given another network inside scratch: class rows and history are put back on the "
                "network that was entered, and the new one is left as it is.",
                RecordWarning,
                stacklevel=3,
            )


@contextmanager
def rollback(head: Head, rows: dict[Place, Rows] | None = None, *, whole: bool = False) -> Iterator[None]:
    """On any exception in the block, an interruption too, class rows and history are as they were.

    ``rows`` are those that the block can change, as they are; every one by default. ``whole``: it can change the
    classes themselves. A predictor that ran other rows has those again.
    """
    rows = all_rows(head) if rows is None else rows
    with restored(head, rows, out_of_step(head, rows), always=False, whole=whole):
        yield


@contextmanager
def restored(head: Head, rows: dict[Place, Rows], apart: Apart, *, always: bool, whole: bool = False) -> Iterator[None]:
    """Rows and history are put back at the end of the block, or only where it does not come to its end.

    ``apart``: convolutions of predictors, and the rows that they have in place of these. ``whole``: the classes
    themselves are put back as well, where an edit has made them others.

    Interruptions, also several and also while they are put back, do not keep it from being done.
    """
    book, fold = ledger(head), head.text_fold
    kept, classes = book.copy(), head.kept_classes() if whole else None
    before = _Before(rows=rows, apart=apart, kept=kept, classes=classes, fold=fold)
    with ending_with(lambda: _put_back(head, book, before, failed=not always), always=always):
        yield


@dataclass(frozen=True)
class _Before:
    """What stood before a block: rows, those of predictors that had others, the ledger, the classes, a fold of text."""

    rows: dict[Place, Rows]
    apart: Apart
    kept: Ledger
    classes: object
    fold: TextFold | None


def fold_anew(head: Head, fold: TextFold | None) -> None:
    """Give the network the head of a fold, or of none, if it has another."""
    mark = mark_of(head.net)
    if mark.fold is not fold:
        if mark.fold is not None:
            mark.fold.take_back()
        mark.fold = None
        if fold is not None:
            fold.put()
        mark.fold = fold


def _put_back(head: Head, book: Ledger, before: _Before, *, failed: bool) -> None:
    rows, apart, kept, classes = before.rows, before.apart, before.kept, before.classes
    with head.undisturbed():
        fold_anew(head, before.fold)
        if classes is not None and (failed or not _has_classes(head, book, kept)):
            head.put_classes_back(classes)
        other = _misfits(head, rows)
        write(head, {place: entry for place, entry in alive(head, rows).items() if place not in other})
        for conv, own in apart:
            put(conv, own)
        book.take(kept)
        mark_of(head.net).record = book
    if other:
        warnings.warn(
            f"The class convolutions of {_names(head, other)} have another shape than before, so their rows are not "
            "put back. Put the convolutions back that stood there.",
            RecordWarning,
            stacklevel=11,  # whoever leaves the block of scratch
        )


def _has_classes(head: Head, book: Ledger, kept: Ledger) -> bool:
    """Whether the classes are those of the kept ledger: of an edit that was cut short the names are not."""
    return book.state is kept.state and head.as_now() is head


def _still_holds(model: object, head: Head) -> bool:
    try:
        return describe(model).net is head.net
    except UnsupportedModelError:
        return False


def _tell_drift(head: Head, book: Ledger) -> None:
    found = [Broken(place, rows) for place, rows in drifted(head, book).items()]
    found += broken(head, book, len(book.records))
    state = fingerprint(head) if found else ""
    if state and state != book.told:
        warnings.warn(
            f"The rows are not those that the recorded edits left: {in_words(head, found)}. Something else wrote them "
            "(training, load_state_dict, a change by hand). surgery.certify says which; surgery.forget(model) drops "
            "the record and keeps the rows.",
            RecordWarning,
            stacklevel=3,
        )
    book.told = state


def _check_unbroken(head: Head, found: list[Broken], n: int) -> None:
    if found:
        raise RecordError(
            f"The rows are not those that the last {n} edit(s) left: {in_words(head, found)}. Something else has "
            "written them since (training, load_state_dict, a change by hand), and going back would put old rows "
            f"among new ones. Nothing is changed. undo(model, {n}, force=True) writes the rows before the edits all "
            "the same; surgery.forget(model) drops the record and keeps the rows as they are."
        )


def _check_shapes(head: Head, rows: dict[Place, Rows]) -> None:
    other = _misfits(head, rows)
    if other:
        raise RecordError(
            f"The class convolutions of {_names(head, other)} have another shape than when they were edited, so the "
            "rows before the edits do not fit. Nothing is changed. surgery.forget(model) drops the record and keeps "
            "the rows."
        )


def _misfits(head: Head, rows: dict[Place, Rows]) -> list[Place]:
    """The live places whose convolution has another shape than the rows."""
    found = []
    for (branch, level), kept in alive(head, rows).items():
        if not fits(head.class_conv(level, branch), kept):
            found.append((branch, level))
    return found


def _names(head: Head, found: list[Place]) -> str:
    return ", ".join(f"{head.levels[level].name} ({branch})" for branch, level in found)


def _branches(head: Head, edit: Edit) -> tuple[str, ...]:
    if not set(edit.branches) <= set(head.branches):
        raise ValueError(f"The live branches are {list(head.branches)}, but the edit names {list(edit.branches)}.")
    return edit.branches or head.branches


def _places_of(head: Head, edit: Edit) -> list[Place]:
    if head.no_rows:
        raise UnsupportedModelError(f"{type(head.net).__name__} has no class rows to edit: {head.no_rows}")
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


def check_finite(head: Head, edit: Edit, before: dict[Place, Rows], after: dict[Place, Rows]) -> None:
    """Refuse rows that are infinite or NaN where those before are not, in the dtype of network or predictor."""
    for (branch, level), rows in after.items():
        dtypes = {conv.weight.dtype for conv in (head.class_conv(level, branch), *head.twins(level, branch))}
        for new, old in zip(rows, before[branch, level], strict=True):
            dtype = None if new is None or old is None else _overflowing(old, new, dtypes)
            if dtype is not None:
                raise ValueError(f"{edit} would make rows of level {level} infinite in {dtype}. Nothing is changed.")


def _overflowing(old: Tensor, new: Tensor, dtypes: set[torch.dtype]) -> torch.dtype | None:
    """The dtype in which the old values are finite and the new ones are not; None if there is none."""
    for dtype in dtypes:
        if not _finite(new.to(dtype)) and _finite(old.to(dtype)):
            return dtype
    return None


def _finite(values: Tensor) -> bool:
    """Whether every value is finite; their sum tells at once, unless it overflows itself."""
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())
