"""Which of many guesses agree with what a channel holds in nearly all cells."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

ENOUGH = 0.93
"""Of the cells, the share that a guess must agree with."""


def _right(value: np.ndarray, guess: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """(…, n) bool: where guesses agree with value (n,)."""
    with np.errstate(all="ignore"):
        return np.abs(guess - value) <= slack + 1e-3 * np.abs(guess) + 1e-6


def hits(value: np.ndarray, guess: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """The indices, one row each, of the guesses (…, n) that agree with nearly all of value (n,)."""
    return np.argwhere(_right(value, guess, slack).mean(-1) >= ENOUGH)


@lru_cache
def first(count: int, enough: float = ENOUGH) -> tuple[np.ndarray, int]:
    """Indices of a few of so many things, and how many of these a guess may miss that is right of ``enough`` of all."""
    missed = sum((count - i) / count >= enough for i in range(1, count))
    cells = np.unique(np.linspace(0, count - 1, min(missed + 3, count)).round().astype(int))
    cells.flags.writeable = False
    return cells, missed


def hits_among(value: np.ndarray, guesses: Callable[..., tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The same as ``hits`` of guesses that are made for some cells at first, which rule out most of them.

    ``guesses(cells)``: guess and slack, (…, m), for some of the n cells; ``guesses(cells, at)``: (k, m) of those whose
    indices are the rows of ``at`` (k, …).
    """
    cells, missed = first(len(value))
    at = np.argwhere(_right(value[cells], *guesses(cells)).sum(-1) >= len(cells) - missed)
    if not len(at):
        return at
    return at[_right(value, *guesses(slice(None), at)).mean(-1) >= ENOUGH]
