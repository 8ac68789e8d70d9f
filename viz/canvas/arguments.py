"""What callers may give to many figures alike: levels and classes."""

from collections.abc import Iterable, Sequence

LevelChoice = int | str | Sequence[int | str]
"""Levels as ``anatomy.select_levels`` takes them: an index, a name, a sequence of either, or "all"."""

ClassChoice = int | str | Iterable[int | str]
"""Classes as ``anatomy.select_classes`` takes them: an id, a name, several of either, or "all"."""
