"""The edits a caller names: each checks its arguments at the door, builds an ``Edit`` and applies it.

``level`` is an index, a name ("P3"), a sequence of either, or "all"; classes are ids or names, one or a sequence, or
"all". ``branches`` limits an edit of a head with two branches ("one2many", "one2one"); by default all live ones get it.
Every function returns the recorded ``Edit``; when it raises, nothing has changed.
"""

import math
from collections.abc import Iterable, Mapping
from numbers import Real

from anatomy import SelectionError, describe, select_class, select_classes, select_levels, whole_number

from . import ledger
from .edit import Edit
from .rows import OPERATIONS


def shift_classes(model, level, k: int, *, branches=()) -> Edit:
    """Move the row of class c to class (c + k) mod nc; k is any whole number, negative and large ones wrap."""
    return _apply(model, "shift_classes", level, None, {"k": whole_number(k, "k, the shift in classes,")}, branches)


def permute_classes(model, level, order, *, branches=()) -> Edit:
    """Row i becomes old row order[i]; ``order`` is a sequence of nc ids or names, or a mapping {old: new}.

    Classes that a mapping does not mention stay. Raises ValueError when ``order`` is no permutation.
    """
    order = _permutation(describe(model).names, order)
    return _apply(model, "permute_classes", level, None, {"order": order}, branches)


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
    if bias not in ("silence", "keep", "zero"):
        raise ValueError(f"bias must be 'silence', 'keep' or 'zero', but {bias!r} was given.")
    return _apply(model, "zero_classes", level, classes, {"bias": bias}, branches)


def scale_classes(model, level, classes, factor: float, *, branches=()) -> Edit:
    """Multiply class rows (weight and bias), and so their logits, by a finite factor."""
    return _apply(model, "scale_classes", level, classes, {"factor": _finite(factor, "factor")}, branches)


def bias_classes(model, level, classes, delta: float, *, branches=()) -> Edit:
    """Add a finite number to the logits of classes in every cell."""
    return _apply(model, "bias_classes", level, classes, {"delta": _finite(delta, "delta")}, branches)


def mute_level(model, level, *, branches=()) -> Edit:
    """Silence every class at a level: it makes no detection any more."""
    return _apply(model, "mute_level", level, "all", {"bias": "silence"}, branches)


def apply(model, edits) -> tuple[Edit, ...]:
    """Apply one edit, or a recipe of several in order, all or nothing; returns them as recorded.

    Levels, classes and parameters are checked against this model as the functions above do.
    """
    edits = (edits,) if isinstance(edits, Edit) else tuple(edits)
    calls = [_call(edit) for edit in edits]
    head = describe(model)
    with head.undisturbed(), ledger.rollback(head):
        return tuple(
            function(model, *arguments, branches=edit.branches)
            for edit, (function, arguments) in zip(edits, calls, strict=True)
        )


def _call(edit: Edit):
    """The function of an edit and its arguments; raises ValueError for an unknown operation or missing parameter."""
    values, level = edit.parameters, list(edit.levels)
    try:
        arguments = {
            "shift_classes": lambda: (shift_classes, (level, values["k"])),
            "permute_classes": lambda: (permute_classes, (level, values["order"])),
            "swap_classes": lambda: (swap_classes, (level, *edit.classes)),
            "zero_classes": lambda: (zero_classes, (level, edit.classes, values["bias"])),
            "scale_classes": lambda: (scale_classes, (level, edit.classes, values["factor"])),
            "bias_classes": lambda: (bias_classes, (level, edit.classes, values["delta"])),
            "mute_level": lambda: (mute_level, (level,)),
        }[edit.operation]
    except KeyError:
        raise ValueError(f"Operation {edit.operation!r} is unknown. There are {', '.join(OPERATIONS)}.") from None
    try:
        return arguments()
    except KeyError as missing:
        raise ValueError(f"{edit.operation} needs the parameter {missing}, which the edit does not give.") from None


def _apply(model, operation: str, level, classes, parameters: dict, branches) -> Edit:
    head = describe(model)
    edit = Edit(
        operation=operation,
        levels=select_levels(head.levels, level),
        classes=() if classes is None else select_classes(head.names, classes),
        parameters=parameters,
        branches=(branches,) if isinstance(branches, str) else tuple(branches),
    )
    return ledger.apply(head, edit)


def _finite(value, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{what} must be a number, but {value!r} ({type(value).__name__}) was given.")
    if not math.isfinite(value):
        raise ValueError(f"{what} must be finite, but {value!r} was given. To silence a class use zero_classes.")
    return float(value)


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
    if isinstance(order, str) or not isinstance(order, Iterable):
        raise TypeError(f"order must be a sequence of class ids or a mapping {{old: new}}, but {order!r} was given.")
    result = [select_class(names, entry) for entry in order]
    if sorted(result) != list(names):
        missing = sorted(set(names) - set(result))
        raise ValueError(
            f"order must hold each of the {len(names)} classes exactly once, but {len(result)} entries were given "
            f"and {missing[:8] or 'none'} {'is' if len(missing) == 1 else 'are'} missing."
        )
    return result
