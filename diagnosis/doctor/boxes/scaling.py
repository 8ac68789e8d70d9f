"""Declared numbers that were multiplied by a constant, or kept in fewer digits."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from .agreeing import ENOUGH
from .held import Held
from .search import Fit
from .terms import KEPT, Term

FEWEST = 8
"""Cells that a constant factor must be seen in."""


def scaled(held: Held, channel: int, terms: Sequence[Term]) -> list[Fit]:
    """One of the declared ``terms`` times a constant, where that explains nearly all of a channel."""
    found = []
    for term in terms:
        gain = _gain(term.predict(held, channel), held.values[:, channel])
        if gain is None:
            continue
        multiplied = replace(term, gain=gain)
        share = float(multiplied.agrees(held, channel).mean())
        if share >= ENOUGH:
            found.append(Fit(multiplied, share))
    return found


def _gain(guess: np.ndarray, value: np.ndarray) -> float | None:
    """The factor between numbers, to four digits; None where there is none, or nothing to see it in."""
    told = np.isfinite(guess) & (np.abs(guess) > 0.02) & (value != 0)
    if told.sum() < FEWEST or len(np.unique(guess[told].round(4))) < FEWEST:
        return None
    gain = float(f"{np.median(value[told] / guess[told]):.4g}")
    return gain if 1e-3 < gain < 1e3 and abs(gain - 1) > 2e-3 else None


def shortened(terms: Sequence[Term]) -> Iterator[tuple[str, tuple[Term, ...]]]:
    """All ``terms`` alike kept in fewer digits, with the name of that."""
    for kept in KEPT:
        if kept:
            yield kept, tuple(replace(term, kept=kept) for term in terms)
