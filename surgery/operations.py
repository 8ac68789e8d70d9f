"""The edits that a caller names: one function a row of the table of operations, and ``apply`` for edits as values.

``level`` is an index, a name ("P3"), a sequence of either, or "all"; classes are ids or names, one or a sequence, or
"all": every one but a background, where the head has one. ``branches`` limits an edit of a head with two branches
("one2many", "one2one"); by default all live ones get it. Every function returns the recorded ``Edit``; when it raises,
nothing has changed.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, SupportsIndex

from anatomy import describe, select_levels
from anatomy.arguments import shown

from . import ledger
from .edit import Edit, as_edits, check
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
    model: object, level: OneOrMore, order: Iterable[One] | Mapping[Any, One], *, branches: Branches = ()
) -> Edit:
    """Row i becomes old row order[i]; ``order`` is a sequence of nc ids or names, or a mapping {old: new}.

    Classes that a mapping does not mention stay. Raises ValueError when ``order`` is no permutation.

    >>> surgery.permute_classes(model, "P3", {0: 1, 1: 0}).operation
    'permute_classes'
    """
    return carry_out(model, "permute_classes", level, None, {"order": order}, branches)


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


def apply(model: object, edits: Edit | Iterable[Edit] | str | Path) -> tuple[Edit, ...]:
    """Apply one edit, or a recipe of several in order, all or nothing; returns them as recorded.

    ``edits``: an Edit, a sequence of them, or the path of a recipe. Raises TypeError for anything else, ValueError for
    an edit that its operation or this model does not allow.

    >>> surgery.apply(model, surgery.Edit("swap_classes", (0,), (0, 1)))[0].classes
    (0, 1)
    """
    wanted = as_edits(edits)
    for edit in wanted:
        check(edit)
    head = describe(model)
    with head.undisturbed(), ledger.rollback(head):
        return tuple(_again(model, edit) for edit in wanted)


def carry_out(
    model: object, name: str, level: OneOrMore, classes: object, values: Mapping[str, object], branches: Branches = ()
) -> Edit:
    """Do what the row ``name`` of the table says; its row checks ``classes`` and ``values`` on this model."""
    operation = operation_of(name)
    head = describe(model)
    every = operation.classes.every or (isinstance(classes, str) and classes == "all")
    edit = Edit(
        operation=name,
        parameters=operation.read(values, head.names),
        levels=select_levels(head.levels, level),
        classes=operation.classes.choose(head.detectable if every else head.names, classes),
        branches=_names(branches),
    )
    return ledger.apply(head, edit)


def _again(model: object, edit: Edit) -> Edit:
    return carry_out(model, edit.operation, edit.levels, edit.classes, edit.parameters, edit.branches)


def _names(branches: object) -> tuple[str, ...]:
    """Branches by name, each once; raises TypeError for anything else."""
    names = (branches,) if isinstance(branches, str) else branches
    names = tuple(names) if isinstance(names, Iterable) and not isinstance(names, Mapping | bytes) else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise TypeError(f"branches must be names such as 'one2many', but {shown(branches)} was given.")
    return tuple(dict.fromkeys(names))
