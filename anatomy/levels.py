"""Levels of a detection head, and how a caller names levels and classes."""

import difflib
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .errors import SelectionError

SILENT_LOGIT = -1e4  # its sigmoid is exactly 0 in every precision, and float16 holds it


@dataclass(frozen=True)
class Level:
    """One pyramid level of a head; 0 is the finest.

    ``paths`` maps each live branch ("one2many", "one2one") to the dotted path of its last class convolution, below the
    network (``model.22.cv3.0.2``); ``path`` is that of the first branch. ``stride`` is in px of the network input,
    ``in_channels`` counts the feature channels that enter the head here.
    """

    index: int
    name: str
    stride: float
    in_channels: int
    paths: Mapping[str, str]

    @property
    def path(self) -> str:
        return next(iter(self.paths.values()))


def level_name(stride: float) -> str:
    """``P3`` for stride 8: the pyramid's usual name, ``P`` and log2 of the stride."""
    return f"P{math.log2(stride):g}"


def whole_number(value, what: str) -> int:
    """``value`` as an int; numpy and torch integers pass, bools and floats do not (TypeError)."""
    if not isinstance(value, bool):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(f"{what} must be a whole number, but {value!r} ({type(value).__name__}) was given.")


def select_levels(levels: Sequence[Level], level) -> tuple[int, ...]:
    """Indices of the levels that ``level`` names: an index, a name ("P3"), a sequence of either, or "all".

    Raises SelectionError (a ValueError) for an unknown level or an empty sequence, TypeError for anything else.
    """
    if isinstance(level, str) and level.lower() == "all":
        return tuple(range(len(levels)))
    known = ", ".join(f"{entry.index} ({entry.name}, stride {entry.stride:g})" for entry in levels)
    if isinstance(level, str):
        found = [entry.index for entry in levels if entry.name.lower() == level.strip().lower()]
        if not found:
            raise SelectionError(f"Level {level!r} does not exist. Levels of this head: {known}, or 'all'.")
        return (found[0],)
    if isinstance(level, Iterable):
        chosen = [index for entry in level for index in select_levels(levels, entry)]
        if not chosen:
            raise SelectionError(f"At least one level is needed, but an empty sequence was given. Levels: {known}.")
        return tuple(sorted(set(chosen)))
    index = whole_number(level, "A level given by index")
    if not 0 <= index < len(levels):
        raise SelectionError(f"Level {index} is out of range. Levels of this head: {known}, or 'all'.")
    return (index,)


def select_class(names: Mapping[int, str], which) -> int:
    """Class id of ``which``: an id, or a name (exact first, then regardless of case).

    Raises SelectionError for an id out of range and for an unknown or ambiguous name, TypeError for anything else.
    """
    if not isinstance(which, str):
        index = whole_number(which, "A class given by id")
        if index not in names:
            raise SelectionError(f"Class {index} is out of range: this head has classes 0 to {len(names) - 1}.")
        return index
    for same in (str.__eq__, lambda a, b: a.strip().casefold() == b.strip().casefold()):
        found = [index for index, name in names.items() if same(name, which)]
        if len(found) > 1:
            raise SelectionError(f"Class name {which!r} is ambiguous: it fits the ids {found}. Give the id instead.")
        if found:
            return found[0]
    near = difflib.get_close_matches(which, names.values(), n=3)
    hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"The names are {_shorten(names.values())}."
    raise SelectionError(f"Class {which!r} does not exist among the {len(names)} classes of this head. {hint}")


def select_classes(names: Mapping[int, str], classes) -> tuple[int, ...]:
    """Sorted class ids of ``classes``: one id or name, a sequence of either, or "all" (unless a class is so named)."""
    if isinstance(classes, str):
        if classes == "all" and "all" not in names.values():
            return tuple(names)
        return (select_class(names, classes),)
    if isinstance(classes, Iterable):
        chosen = sorted({select_class(names, entry) for entry in classes})
        if not chosen:
            raise SelectionError("At least one class is needed, but an empty sequence was given.")
        return tuple(chosen)
    return (select_class(names, classes),)


def _shorten(names: Iterable[str], most: int = 12) -> str:
    names = list(names)
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")
