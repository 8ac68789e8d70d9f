"""The edits that a caller names: one function a row of the table of operations, and ``apply`` for edits as values.

``level`` is an index, a name ("P3"), a sequence of either, or "all"; classes are ids or names, one or a sequence, or
"all": every one but a background, where the head has one. ``branches`` limits an edit of a head with two branches
("one2many", "one2one"); by default all live ones get it. Every function returns the recorded ``Edit``; when it raises,
nothing has changed.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, SupportsIndex

from anatomy import Head, describe, select_levels
from anatomy.arguments import shown

from . import ledger
from .edit import Edit, as_edits, check
from .structure.applying import apply_whole, require_classes
from .structure.others import Others, apply_with_others
from .table import operation_of

One = SupportsIndex | str  # a level or a class, by index or by name
OneOrMore = One | Iterable[One]
Branches = str | Iterable[str]


def shift_classes(model: object, level: OneOrMore, k: SupportsIndex, *, branches: Branches = ()) -> Edit:
    """Move the row of class c to class (c + k) mod nc; k is any whole number, negative and large ones wrap.

    >>> surgery.shift_classes(model, "P4", 1).levels
    (1,)
    """
    return carry_out(model, "shift_classes", level, None, {"k": k}, branches)


def permute_classes(
    model: object,
    level: OneOrMore,
    order: Iterable[One] | Mapping[Any, One],
    *,
    names: bool = False,
    branches: Branches = (),
) -> Edit:
    """Row i becomes old row order[i]; ``order`` is a sequence of nc ids or names, or a mapping {old: new}.

    Classes that a mapping does not mention stay. With ``names`` each row takes its name along, so that the same things
    are found by the same names and other ids: then ``level`` must be "all". Raises ValueError when ``order`` is no
    permutation.

    >>> surgery.permute_classes(model, "P3", {0: 1, 1: 0}).operation
    'permute_classes'
    """
    return carry_out(model, "permute_classes", level, None, {"order": order, "names": names or None}, branches)


def swap_classes(model: object, level: OneOrMore, a: One, b: One, *, branches: Branches = ()) -> Edit:
    """Exchange the rows of two classes.

    >>> surgery.swap_classes(model, "P4", 0, 1).classes
    (0, 1)
    """
    return carry_out(model, "swap_classes", level, (a, b), {}, branches)


def zero_classes(
    model: object, level: OneOrMore, classes: OneOrMore, bias: str = "silence", *, branches: Branches = ()
) -> Edit:
    """Set the weights of class rows to zero.

    ``bias="silence"`` sets the bias so low that the score is exactly 0; "keep" leaves it, so that every cell answers
    with the prior it had learned; "zero" sets it to 0, which is a score of 0.5 in every cell and no silence.

    >>> surgery.zero_classes(model, "P3", 0).classes
    (0,)
    """
    return carry_out(model, "zero_classes", level, classes, {"bias": bias}, branches)


def scale_classes(
    model: object, level: OneOrMore, classes: OneOrMore, factor: float, *, branches: Branches = ()
) -> Edit:
    """Multiply class rows (weight and bias), and so their logits, by a finite factor.

    >>> surgery.scale_classes(model, "all", 0, 0.5).levels
    (0, 1, 2)
    """
    return carry_out(model, "scale_classes", level, classes, {"factor": factor}, branches)


def bias_classes(model: object, level: OneOrMore, classes: OneOrMore, delta: float, *, branches: Branches = ()) -> Edit:
    """Add a finite number to the logits of classes in every cell.

    >>> surgery.bias_classes(model, "P3", 0, 2.0).operation
    'bias_classes'
    """
    return carry_out(model, "bias_classes", level, classes, {"delta": delta}, branches)


def mute_level(model: object, level: OneOrMore, *, branches: Branches = ()) -> Edit:
    """Silence every class at a level: it makes no detection any more.

    >>> surgery.mute_level(model, "P5").levels
    (2,)
    """
    return carry_out(model, "mute_level", level, None, {}, branches)


def apply(model: object, edits: Edit | Iterable[Edit] | str | Path, *, others: Others = ()) -> tuple[Edit, ...]:
    """Apply one edit, or a recipe of several in order, all or nothing; returns them as recorded.

    ``edits``: an Edit, a sequence of them, or the path of a recipe. ``others``: a model, or several, whose heads
    ``stack_heads`` puts beside; those that are not given are opened from the path that the edit names, if it is there.
    ``dry_run`` tells first what would change. Raises TypeError for anything else, ValueError for an edit that its
    operation or this model does not allow.

    >>> surgery.apply(model, surgery.Edit("swap_classes", (0,), (0, 1)))[0].classes
    (0, 1)
    """
    wanted = as_edits(edits)
    for edit in wanted:
        check(edit)
    head = describe(model)
    with head.undisturbed(), ledger.rollback(head, whole=True):
        return tuple(again(model, edit, others) for edit in wanted)


def carry_out(
    model: object, name: str, level: OneOrMore, classes: object, values: Mapping[str, object], branches: Branches = ()
) -> Edit:
    """Do what the row ``name`` of the table says; its row checks ``classes`` and ``values`` on this model."""
    operation = operation_of(name)
    head = describe(model)
    if operation.whole(values):
        require_classes(head)
    every = operation.classes.every or (isinstance(classes, str) and classes == "all")
    edit = Edit(
        operation=name,
        parameters=operation.read(values, head.names),
        levels=select_levels(head.levels, level) if operation.change is not None else (),
        classes=operation.classes.choose(head.detectable if every else head.names, classes),
        branches=_names(branches),
    )
    if not operation.whole(edit.parameters):
        return ledger.apply(head, edit)
    _check_everywhere(head, edit)
    return apply_whole(head, edit)


def again(model: object, edit: Edit, others: Others = ()) -> Edit:
    """Do to a model what an edit says, with what the edit holds; ``others`` as in ``apply``."""
    if edit.operation in ("add_class", "stack_heads"):
        return apply_with_others(describe(model), edit, others)
    return carry_out(model, edit.operation, edit.levels, edit.classes, edit.parameters, edit.branches)


def _check_everywhere(head: Head, edit: Edit) -> None:
    """Refuse to make the classes of some levels or branches others, as names are one for all."""
    levels, live = edit.levels or tuple(range(len(head.levels))), set(head.branches)
    if len(levels) != len(head.levels) or not live <= set(edit.branches or live):
        raise ValueError(
            f"{edit.operation} changes names, which are the same for all levels and branches, but "
            f"levels={list(levels)}, branches={list(edit.branches)} were given. Give level='all' and no branches."
        )


def _names(branches: object) -> tuple[str, ...]:
    """Branches by name, each once; raises TypeError for anything else."""
    names = (branches,) if isinstance(branches, str) else branches
    names = tuple(names) if isinstance(names, Iterable) and not isinstance(names, Mapping | bytes) else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise TypeError(f"branches must be names such as 'one2many', but {shown(branches)} was given.")
    return tuple(dict.fromkeys(names))
