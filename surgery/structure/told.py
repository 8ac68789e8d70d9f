"""Operations on whole classes in words, for histories, reports and dry runs."""

from collections.abc import Sequence
from typing import Any

MOST = 6  # names that a line tells


def told_kept(chosen: str, kept: Sequence[Any], exact: bool = False) -> str:
    """Which classes were kept."""
    return f"{_count(len(kept))} kept: {listed([name for _, name in kept])}"


def told_renamed(chosen: str, renamed: Sequence[Any]) -> str:
    """Which classes are called what."""
    return "renamed: " + listed([f"{old} to {new}" for _, old, new in renamed])


def told_groups(chosen: str, groups: Sequence[Any], how: str) -> str:
    """What was merged into what, and by which rule."""
    rule = {"highest": "", "mean": ", the mean row for all", "first": ", the row of the first for all"}[how]
    told = [f"{listed([name for _, name in members])} merged into {new}" for new, members in groups]
    return "; ".join(told) + rule


def told_added(chosen: str, names: Sequence[str], source: Any = None, rows: Any = None, evidence: str = "") -> str:
    """What was added, and with whose rows."""
    start = f"rows of {source[1]}" if source is not None else f"a prototype ({evidence})"
    return f"{listed(names)} added, from {start}"


def told_beside(chosen: str, names: Sequence[str], donor: str, boxes: str, path: str = "") -> str:
    """Whose classes stand beside, and whose boxes all have."""
    return f"{_count(len(names))} of {path or 'another model'} put beside: {listed(names)}; {boxes}"


def listed(names: Sequence[str]) -> str:
    """Names in a row, the first few."""
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more


def _count(number: int) -> str:
    return "1 class" if number == 1 else f"{number} classes"
