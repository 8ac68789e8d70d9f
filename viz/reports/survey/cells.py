"""Tables of the page whose numbers lead to their photographs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Key = float | str | None


@dataclass(frozen=True)
class Cell:
    """One cell: its ``text``, the ``key`` that it is sorted by, and the rows behind it.

    ``where``: columns of ``table`` ("objects" or "detections") and the values, or {"from", "to"}, that its rows have;
    None where no rows lie behind it. ``level`` is the name of a level whose colour the cell wears.
    """

    text: str
    key: Key = None
    where: Mapping[str, Any] | None = None
    table: str = "objects"
    level: str = ""


@dataclass(frozen=True)
class Table:
    """A table: ``headings`` (text, whether its column holds numbers), ``rows`` of cells, a ``note`` below its title."""

    name: str
    title: str
    note: str
    headings: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[Cell, ...], ...]


def number(value: int, where: Mapping[str, Any], table: str = "objects") -> Cell:
    """A count that leads to its rows; nothing lies behind 0."""
    return Cell(str(value), float(value), where if value else None, table)


def share(part: int, whole: int, where: Mapping[str, Any], table: str = "objects") -> Cell:
    """A part of a whole in per cent and in numbers, which leads to the rows of the whole."""
    if not whole:
        return Cell("", None)
    return Cell(f"{100 * part / whole:.0f} % ({part}/{whole})", part / whole, where, table)


def plain(value: float | None, form: str = "{:.3f}") -> Cell:
    """A number without rows behind it; NaN and None are empty."""
    if value is None or value != value:
        return Cell("", None)
    text = form.format(value)
    return Cell("0" if float(text) == 0 else text.replace("-", "−"), float(value))


def level(name: str) -> Cell:
    """The name of a level in its colour."""
    return Cell(name, None, level=name)
