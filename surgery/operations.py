"""The edits a caller names: each checks its arguments at the door, builds an ``Edit`` and applies it.

``level`` is an index, a name ("P3"), a sequence of either, or "all"; classes are ids or names, one or a sequence, or
"all". ``branches`` limits an edit of a head with two branches ("one2many", "one2one"); by default all live ones get it.
Every function returns the recorded ``Edit``; when it raises, nothing has changed.
"""

from collections.abc import Iterable, Mapping, Set

from anatomy import SelectionError, describe, select_class, select_classes, select_levels, whole_number
from anatomy.arguments import shown

from . import ledger
from .edit import Edit, as_edits
from .signatures import check_bias, check_edit, check_factor

NO_CLASS = object()  # of an operation that moves all rows; None, given by a caller, is an error


def shift_classes(model, level, k: int, *, branches=()) -> Edit:
    """Move the row of class c to class (c + k) mod nc; k is any whole number, negative and large ones wrap."""
    return _apply(model, "shift_classes", level, NO_CLASS, {"k": whole_number(k, "k, the shift in classes,")}, branches)


def permute_classes(model, level, order, *, branches=()) -> Edit:
    """Row i becomes old row order[i]; ``order`` is a sequence of nc ids or names, or a mapping {old: new}.

    Classes that a mapping does not mention stay. Raises ValueError when ``order`` is no permutation.
    """
    order = _permutation(describe(model).names, order)
    return _apply(model, "permute_classes", level, NO_CLASS, {"order": order}, branches)


def swap_classes(model, level, a, b, *, branches=()) -> Edit:
    """Exchange the rows of two classes."""
    names = describe(model).names
    first, second = select_class(names, a), select_class(names, b)
    if first == second:
        raise SelectionError(f"A swap needs two different classes, but {a!r} and {b!r} are both class {first}.")
    return _apply(model, "swap_classes", level, (first, second), {}, branches)


def zero_classes(model, level, classes, bias: str = "silence", *, branches=()) -> Edit:
    """Set the weights of class rows to zero.

    ``bias="silence"`` sets the bias so low that the score is exactly 0; "keep" leaves it, so that every cell answers
    with the prior it had learned; "zero" sets it to 0, which is a score of 0.5 in every cell and no silence.
    """
    return _apply(model, "zero_classes", level, classes, {"bias": check_bias(bias)}, branches)


def scale_classes(model, level, classes, factor: float, *, branches=()) -> Edit:
    """Multiply class rows (weight and bias), and so their logits, by a finite factor."""
    return _apply(model, "scale_classes", level, classes, {"factor": check_factor(factor, "factor")}, branches)


def bias_classes(model, level, classes, delta: float, *, branches=()) -> Edit:
    """Add a finite number to the logits of classes in every cell."""
    return _apply(model, "bias_classes", level, classes, {"delta": check_factor(delta, "delta")}, branches)


def mute_level(model, level, *, branches=()) -> Edit:
    """Silence every class at a level: it makes no detection any more."""
    return _apply(model, "mute_level", level, "all", {"bias": "silence"}, branches)


def apply(model, edits) -> tuple[Edit, ...]:
    """Apply one edit, or a recipe of several in order, all or nothing; returns them as recorded.

    ``edits``: an Edit, a sequence of them, or the path of a recipe. Raises TypeError for anything else, ValueError for
    an edit that its operation or this model does not allow.
    """
    edits = as_edits(edits)
    for edit in edits:
        check_edit(edit.operation, edit.levels, edit.classes, edit.parameters, edit.branches)
    head = describe(model)
    with head.undisturbed(), ledger.rollback(head):
        return tuple(_call(model, edit) for edit in edits)


def _call(model, edit: Edit) -> Edit:
    """Hand a checked edit to the function of its name."""
    level, classes, values = list(edit.levels), list(edit.classes), edit.parameters
    arguments = {
        "shift_classes": lambda: (values["k"],),
        "permute_classes": lambda: (values["order"],),
        "swap_classes": lambda: tuple(classes),
        "zero_classes": lambda: (classes, values["bias"]),
        "scale_classes": lambda: (classes, values["factor"]),
        "bias_classes": lambda: (classes, values["delta"]),
        "mute_level": lambda: (),
    }[edit.operation]()
    return FUNCTIONS[edit.operation](model, level, *arguments, branches=edit.branches)


def _apply(model, operation: str, level, classes, parameters: dict, branches) -> Edit:
    head = describe(model)
    edit = Edit(
        operation=operation,
        levels=select_levels(head.levels, level),
        classes=() if classes is NO_CLASS else select_classes(head.names, classes),
        parameters=parameters,
        branches=_names(branches),
    )
    return ledger.apply(head, edit)


def _names(branches) -> tuple[str, ...]:
    """Branches by name, each once; raises TypeError for anything else."""
    names = (branches,) if isinstance(branches, str) else branches
    names = tuple(names) if isinstance(names, Iterable) and not isinstance(names, Mapping | bytes) else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise TypeError(f"branches must be names such as 'one2many', but {shown(branches)} was given.")
    return tuple(dict.fromkeys(names))


def _permutation(names: Mapping[int, str], order) -> list[int]:
    if isinstance(order, Mapping):
        moves = {select_class(names, old): select_class(names, new) for old, new in order.items()}
        if len(moves) != len(order) or set(moves) != set(moves.values()):
            raise ValueError(
                f"A mapping {{old: new}} must send the classes it names onto one another, but {dict(order)!r} sends "
                f"{sorted(moves)} to {sorted(moves.values())}. Name every class that moves, each once on both sides."
            )
        result = list(names)
        for old, new in moves.items():
            result[new] = old
        return result
    if (
        isinstance(order, str | bytes | bytearray | Set)
        or not isinstance(order, Iterable)
        or getattr(order, "ndim", 1) == 0
    ):
        raise TypeError(
            f"order must be a sequence of class ids or a mapping {{old: new}}, but {shown(order)} was given."
        )
    result = [select_class(names, entry) for entry in order]
    if sorted(result) != list(names):
        missing = sorted(set(names) - set(result))
        raise ValueError(
            f"order must hold each of the {len(names)} classes exactly once, but {len(result)} entries were given "
            f"and {missing[:8] or 'none'} {'is' if len(missing) == 1 else 'are'} missing."
        )
    return result


FUNCTIONS = {
    function.__name__: function
    for function in (
        shift_classes,
        permute_classes,
        swap_classes,
        zero_classes,
        scale_classes,
        bias_classes,
        mute_level,
    )
}
