"""An edit of whole classes applied: to the network, to what ``predict()`` runs, and to the record; all or nothing."""

from collections.abc import Mapping
from dataclasses import replace

from anatomy import Head
from anatomy.head.classes import Classes

from ..edit import Edit
from ..ledger import check_finite, rollback
from ..memory import ledger
from ..places import Place, all_rows
from ..record import Record
from ..rows import Rows
from ..table import operation_of
from .pool import classes_of
from .state import state_of


def apply_whole(head: Head, edit: Edit, new: Mapping[Place, Rows] | None = None) -> Edit:
    """Make the classes of a head what an edit says; ``new`` as in ``classes_of``. Returns the edit as recorded.

    Raises UnsupportedModelError where the family does not say how, ValueError where rows would be infinite; then, and
    where it is interrupted, nothing has changed.
    """
    require_classes(head)
    regroup = operation_of(edit.operation).regroup
    if regroup is None:
        raise ValueError(f"{edit.operation} changes rows, not whole classes.")
    with head.undisturbed():
        return put(head, edit, classes_of(head, regroup(head.names, edit.parameters), new))


def put(head: Head, edit: Edit, classes: Classes) -> Edit:
    """Give a head these classes, and write it down; the network must be held."""
    edit = replace(edit, branches=head.branches)
    book = ledger(head)
    before, after = book.linked(all_rows(head)), dict(classes.rows)
    check_finite(head, edit, before, after)
    with rollback(head, before, whole=True):
        for place, rows in before.items():
            book.baseline.setdefault(place, rows)
        if not book.names:
            book.names = tuple(head.names.values())
        standing, kept = state_of(head), head.kept_classes()
        head.give_classes(classes)
        now = state_of(head.as_now())
        book.records.append(Record(edit=edit, before=before, after=all_rows(head), states=(standing, now), kept=kept))
        book.state = now
    return edit


def require_classes(head: Head) -> None:
    """Refuse a head whose family does not say how it is given other classes; UnsupportedModelError."""
    if type(head).give_classes is Head.give_classes:
        head.give_classes(Classes(names=(), rows={}))
