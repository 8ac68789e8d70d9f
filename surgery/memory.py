"""Which record belongs to a network, and what became of the record of a network that was replaced."""

import warnings
import weakref
from collections.abc import Mapping
from dataclasses import dataclass

from anatomy import Head
from anatomy.head.mark import Mark, mark_of

from .record import KEY, Ledger
from .standing import RecordWarning, drifted
from .unpacking import unpack


@dataclass
class _Seen:
    """What an object held last: the mark of its network; how many edits of an earlier one were lost with it."""

    mark: Mark
    ended: int = 0
    told: bool = False


_seen: weakref.WeakKeyDictionary[object, _Seen] = weakref.WeakKeyDictionary()


def ledger(head: Head) -> Ledger:
    """The ledger of this head's network, which lies on the network's mark; an empty one is laid there if need be.

    One that came with a pickle is read; if it cannot be, it is left out with a RecordWarning. One that lies beside the
    network in its file is taken where the rows are those that it left.
    """
    mark = mark_of(head.net)
    if isinstance(mark.record, Mapping):
        mark.record = _read(mark.record, head)
    if mark.record is None:
        mark.record = _beside(head) or Ledger()
    _notice(head, mark)
    return mark.record


def ended(head: Head) -> int:
    """How many edits went with a network that the owner of this one held before; 0 if none, or if that is not known."""
    ledger(head)
    seen = _seen.get(head.owner) if head.owner is not None else None
    return seen.ended if seen is not None else 0


def tell_end(head: Head, stacklevel: int) -> None:
    """Warn, once a replacement, that a record went with the network before this one."""
    count = ended(head)
    if count and not _seen[head.owner].told:
        _seen[head.owner].told = True
        warnings.warn(
            f"The record of {count} edit(s) ended when the network was replaced (by train, load, or model = …): what "
            "they left in the weights, if anything, cannot be told or undone.",
            RecordWarning,
            stacklevel=stacklevel + 1,
        )


def forget_end(head: Head) -> None:
    """Speak no more of the record that ended."""
    if head.owner is not None and head.owner in _seen:
        _seen[head.owner].ended = 0


def _notice(head: Head, mark: Mark) -> None:
    owner = head.owner
    if owner is None:
        return
    seen = _seen.get(owner)
    if seen is None:
        _seen[owner] = _Seen(mark)
    elif seen.mark is not mark:
        lost = 0 if mark.record.records else _edits(seen.mark) or seen.ended
        _seen[owner] = _Seen(mark, lost)


def _edits(mark: Mark) -> int:
    return len(mark.record.records) if isinstance(mark.record, Ledger) else 0


def _beside(head: Head) -> Ledger | None:
    """The record that ``save`` put beside the network, which the family's own loader leaves there."""
    entry = head.beside.get(KEY)
    book = None if entry is None else _read(entry, head)
    return None if book is None or drifted(head, book) else book


def _read(entry, head: Head) -> Ledger | None:
    try:
        return unpack(entry, head)
    except ValueError as error:
        warnings.warn(
            f"The record of edits that came with this network is left out, so its history begins anew: {error}",
            RecordWarning,
            stacklevel=4,
        )
        return None
