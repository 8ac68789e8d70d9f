"""What operations ask of a caller's values: which classes, in which order, which numbers; an error names the rule."""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from anatomy import SelectionError, finite_number, select_class, select_classes, whole_number
from anatomy.arguments import shown

from .rules import Classes, Names

BIASES = ("silence", "keep", "zero")


def bias_choice(value: object, what: str) -> str:
    """One of ``BIASES``; raises ValueError."""
    if not isinstance(value, str) or value not in BIASES:
        raise ValueError(f"{what} must be 'silence', 'keep' or 'zero', but {shown(value)} was given.")
    return str(value)


def factor(value: object, what: str) -> float:
    """A finite number; raises TypeError and ValueError."""
    return finite_number(value, what, "To silence a class use zero_classes.")


def class_ids(value: object, what: str) -> list[int]:
    """A list of whole numbers; raises TypeError."""
    if not isinstance(value, list | tuple):
        raise TypeError(f"{what} must be a list of class ids, but {shown(value)} was given.")
    return [whole_number(entry, f"Every entry of {what}") for entry in value]


def permutation(names: Names, order: Any) -> list[int]:
    """The old id of each row, of a sequence of ids or names or a mapping {old: new}; raises TypeError, ValueError."""
    if isinstance(order, Mapping):
        return _mapped(names, order)
    unordered = isinstance(order, str | bytes | bytearray | Set) or not isinstance(order, Iterable)
    if unordered or getattr(order, "ndim", 1) == 0:
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


def _mapped(names: Names, order: Mapping) -> list[int]:
    """The permutation of a mapping {old: new}; classes that it does not mention stay."""
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


def _pair(names: Names, given: tuple[Any, Any]) -> tuple[int, int]:
    first, second = (select_class(names, entry) for entry in given)
    if first == second:
        a, b = given
        raise SelectionError(f"A swap needs two different classes, but {a!r} and {b!r} are both class {first}.")
    return min(first, second), max(first, second)


def _listed(names: Sequence[str], count: int) -> str:
    return "every class" if len(names) == count > 1 else ", ".join(names)


NO_CLASSES = Classes(0, 0, choose=lambda names, given: (), told=_listed)  # all rows move
SOME_CLASSES = Classes(1, None, choose=select_classes, told=_listed)
TWO_CLASSES = Classes(2, 2, choose=_pair, told=lambda names, count: " and ".join(names))
EVERY_CLASS = Classes(0, None, choose=lambda names, given: tuple(names), told=_listed, every=True)
