"""Levels of a detection head, and how a caller names levels and classes."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..arguments import whole_number
from ..errors import SelectionError
from ..shown import Record

SILENT_LOGIT = -1e4  # its sigmoid is exactly 0 in every precision, and float16 holds it


@dataclass(frozen=True, repr=False)
class Level(Record):
    """One pyramid level of a head; ``index`` is its place in the head, which is finest first in published detectors.

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
        """The path of the first branch's last class convolution."""
        return next(iter(self.paths.values()))


def level_name(stride: float) -> str:
    """``P3`` for stride 8: the pyramid's usual name, ``P`` and log2 of the stride."""
    return f"P{math.log2(stride):g}"


def select_levels(levels: Sequence[Level], level: Any) -> tuple[int, ...]:
    """Indices of the levels that ``level`` names: an index, a name ("P3"), a sequence of either, or "all".

    Raises SelectionError (a ValueError) for an unknown level, a name that several levels bear and an empty sequence,
    TypeError for anything else.

    >>> anatomy.select_levels(trace.levels, ["P3", 2])
    (0, 2)
    """
    given = list(level) if _is_sequence(level) else [level]
    if any(isinstance(entry, str) and entry.strip().lower() == "all" for entry in given):
        return tuple(range(len(levels)))
    chosen = {select_level(levels, entry) for entry in given}
    if not chosen:
        raise SelectionError(
            f"At least one level is needed, but an empty sequence was given. Levels: {_known(levels)}."
        )
    return tuple(sorted(chosen))


def select_level(levels: Sequence[Level], level: Any) -> int:
    """Index of the one level that ``level`` names: an index or a name; errors as in ``select_levels``.

    >>> anatomy.select_level(trace.levels, "P5")
    2
    """
    if not isinstance(level, str):
        index = whole_number(level, "A level given by index")
        if not 0 <= index < len(levels):
            raise SelectionError(f"Level {index} is out of range. Levels of this head: {_known(levels)}, or 'all'.")
        return index
    found = [entry.index for entry in levels if entry.name.lower() == level.strip().lower()]
    if len(found) > 1:
        raise SelectionError(f"Level name {level!r} is ambiguous: it fits the levels {found}. Give the index instead.")
    if not found:
        raise SelectionError(f"Level {level!r} does not exist. Levels of this head: {_known(levels)}, or 'all'.")
    return found[0]


def _known(levels: Sequence[Level]) -> str:
    return ", ".join(f"{entry.index} ({entry.name}, stride {entry.stride:g})" for entry in levels)


def _is_sequence(value: Any) -> bool:
    """Whether a caller means several: not text, no mapping (whose values would be lost), no array of one number."""
    if isinstance(value, str | bytes | bytearray | Mapping) or getattr(value, "ndim", None) == 0:
        return False
    return isinstance(value, Iterable)


def select_class(names: Mapping[int, str], which: Any) -> int:
    """Class id of ``which``: an id, or a name (exact first, then regardless of case).

    Raises SelectionError for an id out of range and for an unknown or ambiguous name, TypeError for anything else.

    >>> anatomy.select_class({0: "cat", 1: "dog"}, "dog")
    1
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


def select_classes(names: Mapping[int, str], classes: Any) -> tuple[int, ...]:
    """Sorted class ids of ``classes``: one id or name, a sequence of either, or "all" (unless a class is so named).

    >>> anatomy.select_classes({0: "cat", 1: "dog"}, "all")
    (0, 1)
    """
    if isinstance(classes, str):
        if classes == "all" and "all" not in names.values():
            return tuple(names)
        return (select_class(names, classes),)
    if not _is_sequence(classes):
        return (select_class(names, classes),)
    chosen = sorted({select_class(names, entry) for entry in classes})
    if not chosen:
        raise SelectionError("At least one class is needed, but an empty sequence was given.")
    return tuple(chosen)


def _shorten(names: Iterable[str], most: int = 12) -> str:
    names = list(names)
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")
