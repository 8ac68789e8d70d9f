"""Every term of the grammar held against one channel at once; those that explain nearly all cells are kept."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import product
from typing import Any

import numpy as np

from .grammar import Grammar, grammar
from .held import PLACES, QUANTITIES, Held, axis_of
from .points import Unit
from .terms import FUNCTIONS, SLACK, Term

SCREEN, ENOUGH = 20, 0.93


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
    yield from _stuck(known, value)


def _right(value: np.ndarray, guess: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """(…, n) bool: where guesses agree with value (n,)."""
    with np.errstate(all="ignore"):
        return np.abs(guess - value) <= slack + 1e-3 * np.abs(guess) + 1e-6


def _hits(value: np.ndarray, guess: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """The indices, one row each, of the guesses (…, n) that agree with nearly all of value (n,)."""
    return np.argwhere(_right(value, guess, slack).mean(-1) >= ENOUGH)


@lru_cache
def first(count: int, enough: float = ENOUGH) -> tuple[np.ndarray, int]:
    """Indices of a few of so many things, and how many of these a guess may miss that is right of ``enough`` of all."""
    missed = sum((count - i) / count >= enough for i in range(1, count))
    cells = np.unique(np.linspace(0, count - 1, min(missed + 3, count)).round().astype(int))
    cells.flags.writeable = False
    return cells, missed


def _hits_among(value: np.ndarray, guesses: Callable[..., tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The same of guesses that are made for some cells at first, which rule out most of them.

    ``guesses(cells)``: guess and slack, (…, m), for some of the n cells; ``guesses(cells, at)``: (k, m) of those whose
    indices are the rows of ``at`` (k, …).
    """
    cells, missed = first(len(value))
    at = np.argwhere(_right(value[cells], *guesses(cells)).sum(-1) >= len(cells) - missed)
    if not len(at):
        return at
    return at[_right(value, *guesses(slice(None), at)).mean(-1) >= ENOUGH]


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
        for quantity, unit in _hits(value, guess, slack):
            yield Term(QUANTITIES[quantity], known.units[unit], function=name)


def _places(known: Grammar, value: np.ndarray, declared: Term) -> Iterator[Term]:
    """Places from every reference point, either way round, in every unit."""
    functions = dict.fromkeys(("identity", "half", "double", "log", "sqrt", "square", declared.function))
    found: dict[int, list[Term]] = {quantity: [] for quantity in range(len(PLACES))}
    for sign, name in product((1, -1), functions):
        shown = partial(_shown, known.apart, known.divided, sign, name)
        for quantity, point, unit in _hits_among(value, shown):
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


def _stuck(known: Grammar, value: np.ndarray) -> Iterator[Term]:
    """Offsets cut to [0, 1] or stuck at a value, in strides, upon a reference point that joins afterwards."""
    held = known.held
    stuck = [list(_constant(known, value, axis)) for axis in (0, 1)]
    for quantity in PLACES:
        axis = axis_of(quantity)
        apart = (held.quantity(quantity) - known.before[axis]) / held.stride
        for name, scale in product(("clamp", "mod 1", "identity"), (held.stride, 1.0)):
            if scale == 1.0 and name == "identity":
                continue
            inside = FUNCTIONS[name](apart) * scale
            less = 0.2 if name == "clamp" else 1.0
            for i, j, k in _hits_among(value, partial(_upon, inside, known.after[axis], known.upon, less)):
                yield _offset(known, quantity, name, scale, (i, j, k))
        yield from (replace(term, quantity=quantity) for term in stuck[axis])


def _offset(known: Grammar, quantity: str, name: str, scale: float, at: tuple[int, int, int]) -> Term:
    """An offset through a function: ``at`` the inner point, the one that joins afterwards, and the unit."""
    stride, (i, j, k) = known.held.stride, at
    if scale == 1.0 and known.lengths[k].name == "px" and known.outer[j] is None:
        return Term(quantity, Unit("stride", stride), known.inner[i], function=name)
    return Term(
        quantity=quantity,
        unit=known.lengths[k],
        reference=known.inner[i],
        function=name,
        inner=stride,
        outer=None if scale == stride else scale,
        added=known.outer[j],
    )


def _constant(known: Grammar, value: np.ndarray, axis: int) -> Iterator[Term]:
    """The same number of strides in every cell, along an axis, of whatever quantity."""
    stride, quantity = known.held.stride, PLACES[axis]
    for constant in (0.0, 0.5, 1.0, -0.5):
        guess = (constant * stride + known.after[axis])[:, None] / known.upon
        for j, k in _hits(value, guess, np.broadcast_to(SLACK / known.upon, guess.shape)):
            yield Term(quantity, known.lengths[k], inner=stride, added=known.outer[j], constant=constant)


def _upon(
    inside: np.ndarray, after: np.ndarray, divided: np.ndarray, less: float, cells: Any, at: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (i, n) upon points (j, n) in units (k, n), and their slack."""
    if at is None:
        unit = divided[:, cells]
        guess = (inside[:, None, cells] + after[:, cells])[:, :, None] / unit
    else:
        unit = divided[at[:, 2]]
        guess = (inside[at[:, 0]] + after[at[:, 1]]) / unit
    return guess, SLACK / unit * less


def matching(held: Held, terms: Sequence[Term]) -> np.ndarray:
    """(n,) bool: the cells whose four channels hold what the terms say."""
    right: np.ndarray = np.stack([term.agrees(held, channel) for channel, term in enumerate(terms)])
    return np.asarray(right.all(0))
