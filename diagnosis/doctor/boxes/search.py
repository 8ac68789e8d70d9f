"""Every term of the grammar held against one channel at once; those that explain nearly all cells are kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from .agreeing import ENOUGH, hits, hits_among
from .grammar import Grammar, grammar
from .held import PLACES, QUANTITIES, Held
from .offsets import offsets
from .terms import FUNCTIONS, SLACK, Term

SCREEN = 20
"""Cells that are looked at first."""


@dataclass(frozen=True)
class Fit:
    """A term and the share of cells that it explains."""

    term: Term
    share: float


def fits(held: Held, channel: int, declared: Term, known: Grammar | None = None) -> list[Fit]:
    """The terms that explain nearly all of a channel; where it is filled beforehand, what was added to that too.

    ``known``: what ``sampled`` gives for ``held``, where several channels share it.
    """
    known = known or sampled(held)
    few = known.held
    kept = list(dict.fromkeys([declared, *_screened(known, few.values[:, channel], declared)]))
    if np.ptp(held.ground[:, channel]) > 0:
        bare = few.values[:, channel] - few.ground[:, channel]
        kept += [replace(term, prefilled=True) for term in _screened(known, bare, declared)]
    found = [Fit(term, float(term.agrees(held, channel).mean())) for term in kept]
    return [fit for fit in found if fit.share >= ENOUGH]


def every_fit(held: Held, terms: Sequence[Term]) -> Iterator[list[Fit]]:
    """The fits of each channel in turn."""
    known = sampled(held)
    return (fits(held, channel, term, known) for channel, term in enumerate(terms))


def all_fits(held: Held, terms: Sequence[Term]) -> list[list[Fit]]:
    """The fits of all channels; nothing where one channel has none."""
    found = []
    for one in every_fit(held, terms):
        if not one:
            return []
        found.append(one)
    return found


def sampled(held: Held) -> Grammar:
    """The grammar at a few of the cells, which rule out most terms."""
    return grammar(held.take(np.linspace(0, len(held) - 1, min(SCREEN, len(held))).round().astype(int)))


def _screened(known: Grammar, value: np.ndarray, declared: Term) -> Iterator[Term]:
    yield from _sizes(known, value)
    yield from _places(known, value, declared)
    yield from offsets(known, value)


def _finite(value: np.ndarray) -> np.ndarray:
    """The same with 0 for NaN and infinity."""
    return np.where(np.isfinite(value), value, 0.0)


def _sizes(known: Grammar, value: np.ndarray) -> Iterator[Term]:
    """Widths and heights, or any quantity from nowhere, in every unit through every function."""
    for name, function in FUNCTIONS.items():
        with np.errstate(all="ignore"):
            guess, near = (function(part) for part in known.counted)
            slack = _finite(np.abs(near - guess))
        if name == "mod 1":
            slack = slack.clip(max=0.1)
        for quantity, unit in hits(value, guess, slack):
            yield Term(QUANTITIES[quantity], known.units[unit], function=name)


def _places(known: Grammar, value: np.ndarray, declared: Term) -> Iterator[Term]:
    """Places from every reference point, either way round, in every unit."""
    functions = dict.fromkeys(("identity", "half", "double", "log", "sqrt", "square", declared.function))
    found: dict[int, list[Term]] = {quantity: [] for quantity in range(len(PLACES))}
    for sign, name in product((1, -1), functions):
        shown = partial(_shown, known.apart, known.divided, sign, name)
        for quantity, point, unit in hits_among(value, shown):
            term = Term(PLACES[quantity], known.units[unit], known.points[point], sign, name)
            found[int(quantity)].append(term)
    for terms in found.values():
        yield from terms


def _shown(
    apart: np.ndarray, divided: np.ndarray, sign: int, name: str, cells: Any, at: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (q, p, n) in units (u, n) through a function, and how far a little slack moves them."""
    if at is None:
        far, unit = apart[:, :, None, cells], divided[:, cells]
    else:
        far, unit = apart[at[:, 0], at[:, 1]], divided[at[:, 2]]
    function = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        guess = sign * (far / unit)
        shown = function(guess)
        return shown, _finite(np.abs(function(guess + SLACK / unit) - shown))


def matching(held: Held, terms: Sequence[Term]) -> np.ndarray:
    """(n,) bool: the cells whose four channels hold what the terms say."""
    right: np.ndarray = np.stack([term.agrees(held, channel) for channel, term in enumerate(terms)])
    return np.asarray(right.all(0))
