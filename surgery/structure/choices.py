"""What operations on whole classes ask of a caller's values, and of a recipe's; an error names the rule.

In an edit a class stands as [id, name], so that a recipe for one model does not choose other classes of another.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from anatomy import SelectionError, select_class, whole_number
from anatomy.arguments import shown

from .regrouping import HOW, Names


def kept_classes(names: Names, given: Any) -> list[list]:
    """Classes in the order given, each once: [[id, name], …]; TypeError and ValueError."""
    found = _several(names, given, "classes")
    if not found:
        raise SelectionError("At least one class must be kept, but none was given.")
    _each_once(names, found)
    return [[index, names[index]] for index in found]


def renamed_classes(names: Names, given: Any) -> list[list]:
    """[[id, old name, new name], …] of a mapping {old: new}; TypeError and ValueError."""
    if isinstance(given, Mapping):
        pairs = [(one(names, old), new) for old, new in given.items()]
    elif _is_listed(given, 3):
        pairs = [(one(names, entry[:2]), entry[2]) for entry in given]
    else:
        raise TypeError(f"Names are given as a mapping {{old: new}}, but {shown(given)} was given.")
    if not pairs:
        raise ValueError("At least one class must get another name, but an empty mapping was given.")
    _each_once(names, [index for index, _ in pairs])
    new = dict(names) | {index: class_name(name) for index, name in pairs}
    check_distinct(new.values())
    return [[index, names[index], new[index]] for index, _ in pairs]


def groups_of_classes(names: Names, given: Any) -> list[list]:
    """[[new name, [[id, name], …]], …] of a mapping {new: [old, …]}; TypeError and ValueError."""
    if not isinstance(given, Mapping) and not _is_listed(given, 2):
        raise TypeError(f"Groups are a mapping {{new name: [classes]}}, but {shown(given)} was given.")
    pairs = list(given.items() if isinstance(given, Mapping) else given)
    if not pairs:
        raise ValueError("At least one group of classes is needed, but an empty mapping was given.")
    groups = [(class_name(name), _several(names, members, f"the group {name!r}")) for name, members in pairs]
    for name, members in groups:
        if not members:
            raise ValueError(f"The group {name!r} has no classes. Name at least one that it is made of.")
    inside = [index for _, members in groups for index in members]
    _each_once(names, inside)
    rest = [name for index, name in names.items() if index not in set(inside)]
    check_distinct([*(name for name, _ in groups), *rest])
    return [[name, [[index, names[index]] for index in members]] for name, members in groups]


def how_merged(value: Any, what: str) -> str:
    """One of ``HOW``; ValueError."""
    if not isinstance(value, str) or value not in HOW:
        raise ValueError(
            f"{what} must be {', '.join(map(repr, HOW[:-1]))} or {HOW[-1]!r}, but {shown(value)} was given."
        )
    return value


def source_class(names: Names, given: Any) -> list | None:
    """[id, name] of the class whose rows a new one starts from; None where rows are given."""
    if given is None:
        return None
    index = one(names, given)
    return [index, names[index]]


def new_names(names: Names, given: Any) -> list[str]:
    """Names that no class of the head has yet."""
    found = [class_name(name) for name in ([given] if isinstance(given, str) else given)]
    check_distinct([*names.values(), *found])
    return found


def class_name(given: Any) -> str:
    """A name that is text with something in it; TypeError and ValueError."""
    if not isinstance(given, str):
        raise TypeError(f"A class has text as its name, but {shown(given)} was given.")
    if not given.strip() or not given.isprintable():
        raise ValueError(f"The name of a class must be printable and not empty, but {given!r} was given.")
    return given


def check_distinct(names: Iterable[str]) -> None:
    """Refuse two classes of one name, which no caller could tell apart by it."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"Every class needs a name of its own, but {', '.join(map(repr, twice[:8]))} would stand twice. Rename "
            "one of them first (surgery.rename_classes)."
        )


def one(names: Names, given: Any) -> int:
    """The id of a class that is given by id, by name, or as [id, name] as an edit holds it."""
    if not isinstance(given, list | tuple):
        return select_class(names, given)
    if len(given) != 2 or not isinstance(given[1], str):
        raise TypeError(f"A class is an id or a name, or both as [id, name], but {shown(given)} was given.")
    index = whole_number(given[0], "A class given by id")
    if names.get(index) != given[1]:
        raise SelectionError(
            f"The edit is about class {index}, {given[1]!r}, but here that class is {names.get(index)!r}. Give the "
            "classes anew for this model, or rename its classes first."
        )
    return index


def as_listed(value: Any, what: str) -> list:
    """A list as an edit holds it, whatever stands in it; TypeError."""
    if not isinstance(value, list | tuple):
        raise TypeError(f"{what} must be a list, but {shown(value)} was given.")
    return list(value)


def as_text(value: Any, what: str) -> str:
    """Text; TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be text, but {shown(value)} was given.")
    return value


def true_or_false(value: Any, what: str) -> bool:
    """A bool; TypeError."""
    if not isinstance(value, bool):
        raise TypeError(f"{what} must be True or False, but {shown(value)} was given.")
    return value


def _several(names: Names, given: Any, what: str) -> list[int]:
    if isinstance(given, str) or not isinstance(given, Iterable) or getattr(given, "ndim", 1) == 0:
        return [one(names, given)]
    if isinstance(given, Set | Mapping | bytes | bytearray):
        raise TypeError(f"{what} must be a sequence of ids or names, in an order, but {shown(given)} was given.")
    return [one(names, entry) for entry in given]


def _each_once(names: Names, found: Sequence[int]) -> None:
    twice = [index for index, count in Counter(found).items() if count > 1]
    if twice:
        told = ", ".join(f"{index} ({names[index]})" for index in twice[:8])
        raise SelectionError(f"Every class can be named once, but {told} was named twice. Leave out the second.")


def _is_listed(given: Any, length: int) -> bool:
    """Whether it is a list of lists of this length, as an edit holds it."""
    if not isinstance(given, list | tuple):
        return False
    return all(isinstance(entry, list | tuple) and len(entry) == length for entry in given)
