"""Every term of the grammar held against one channel at once; those that explain nearly all cells are kept."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from .held import PLACES, QUANTITIES, Held, axis_of
from .points import GRIDS, Reference, Unit
from .terms import FUNCTIONS, SLACK, Term

SCREEN, ENOUGH = 20, 0.93
OFFSETS = (0.0, 0.5, 1.0, -0.5, 1.5, -1.0)
FIXED = (100.0, 640.0, 1000.0, 512.0, 256.0, 416.0)


@dataclass(frozen=True)
class Fit:
    """A term and the share of cells that it explains."""

    term: Term
    share: float


def references(held: Held) -> list[Reference]:
    """Points of cells that a place may be counted from."""
    pitches = sorted({held.stride, *held.strides, held.stride / 2, held.stride * 2}, key=lambda p: p != held.stride)
    moved = bool((held.meant != held.here).any())
    cells = ("here", "meant", "crossed") if moved else ("here", "crossed")
    found = [Reference(cell, offset, pitch) for pitch in pitches for cell in cells for offset in OFFSETS]
    return found + [Reference(grid, offset, held.stride) for grid in GRIDS for offset in (0.0, 0.5)]


def units(held: Held) -> list[Unit]:
    """Lengths that one unit may be."""
    strides = dict.fromkeys((held.stride, *held.strides, held.stride / 2, held.stride * 2))
    found = [Unit("px"), *(Unit("stride", stride) for stride in strides)]
    found += [Unit(name) for name in ("width", "height", "longer side", "width squared", "height squared")]
    if held.others:
        s = held.stride
        found += [Unit(f"prior {side}", factor) for side in ("width", "height") for factor in (1.0, 1 / s, s, 0.5, 2.0)]
        found += [Unit(name) for name in held.others]
    return found + [Unit("fixed", length) for length in FIXED]


def fits(held: Held, channel: int, declared: Term) -> list[Fit]:
    """The terms that explain nearly all of a channel; where it is filled beforehand, what was added to that too."""
    few = held.take(np.linspace(0, len(held) - 1, min(SCREEN, len(held))).round().astype(int))
    kept = list(dict.fromkeys([declared, *_screened(few, channel, declared)]))
    if np.ptp(held.ground[:, channel]) > 0:
        bare = replace(few, values=few.values - few.ground)
        kept += [replace(term, prefilled=True) for term in _screened(bare, channel, declared)]
    found = [Fit(term, float(term.agrees(held, channel).mean())) for term in kept]
    return [fit for fit in found if fit.share >= ENOUGH]


def _screened(held: Held, channel: int, declared: Term) -> Iterator[Term]:
    value = held.values[:, channel]
    yield from _sizes(held, value)
    yield from _places(held, value, declared)
    yield from _stuck(held, value)


def _right(value: np.ndarray, guess: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """(…, n) bool: where guesses agree with value (n,)."""
    with np.errstate(all="ignore"):
        return np.abs(guess - value) <= slack + 1e-3 * np.abs(guess) + 1e-6


def _hits(value: np.ndarray, guess: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """The indices, one row each, of the guesses (…, n) that agree with nearly all of value (n,)."""
    return np.argwhere(_right(value, guess, slack).mean(-1) >= ENOUGH)


def _hits_among(value: np.ndarray, guesses: Callable[..., tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The same of guesses that are made for some cells at first, which rule out most of them.

    ``guesses(cells)``: guess and slack, (…, m), for some of the n cells; ``guesses(cells, at)``: (k, m) of those whose
    indices are the rows of ``at`` (k, …).
    """
    count = len(value)
    missed = sum((count - i) / count >= ENOUGH for i in range(1, count))  # that a guess may miss
    cells = np.unique(np.linspace(0, count - 1, min(missed + 3, count)).round().astype(int))
    at = np.argwhere(_right(value[cells], *guesses(cells)).sum(-1) >= len(cells) - missed)
    if not len(at):
        return at
    return at[_right(value, *guesses(slice(None), at)).mean(-1) >= ENOUGH]


def _sizes(held: Held, value: np.ndarray) -> Iterator[Term]:
    """Widths and heights, or any quantity from nowhere, in every unit through every function."""
    lengths = units(held)
    divided = np.stack([unit.length(held) for unit in lengths])
    known = np.stack([held.quantity(name) for name in QUANTITIES])
    for name, function in FUNCTIONS.items():
        with np.errstate(all="ignore"):
            guess, near = (function((known[:, None] + nudge) / divided) for nudge in (0, SLACK))
            slack = np.nan_to_num(np.abs(near - guess), posinf=0.0)
        if name == "mod 1":
            slack = slack.clip(max=0.1)
        for quantity, unit in _hits(value, guess, slack):
            yield Term(QUANTITIES[quantity], lengths[unit], function=name)


def _places(held: Held, value: np.ndarray, declared: Term) -> Iterator[Term]:
    """Places from every reference point, either way round, in every unit."""
    points, lengths = references(held), units(held)
    divided = np.stack([unit.length(held) for unit in lengths])
    functions = dict.fromkeys(("identity", "half", "double", "log", "sqrt", "square", declared.function))
    at = [np.stack([point.point(held, axis) for point in points]) for axis in (0, 1)]
    for quantity in PLACES:
        apart = held.quantity(quantity) - at[axis_of(quantity)]
        for sign, name in product((1, -1), functions):
            for point, unit in _hits_among(value, partial(_shown, apart, divided, sign, name)):
                yield Term(quantity, lengths[unit], points[point], sign, name)


def _shown(
    apart: np.ndarray, divided: np.ndarray, sign: int, name: str, cells: Any, at: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Distances (p, n) in units (u, n) through a function, and how far a little slack moves them."""
    far, unit = (apart[:, None, cells], divided[:, cells]) if at is None else (apart[at[:, 0]], divided[at[:, 1]])
    function = FUNCTIONS[name]
    with np.errstate(all="ignore"):
        guess = sign * (far / unit)
        shown = function(guess)
        return shown, np.nan_to_num(np.abs(function(guess + SLACK / unit) - shown), posinf=0.0)


def _stuck(held: Held, value: np.ndarray) -> Iterator[Term]:
    """Offsets cut to [0, 1] or stuck at a value, in strides, upon a reference point that joins afterwards."""
    points: list[Reference | None] = [None, *references(held)]
    points = [p for p in points if p is None or (p.pitch == held.stride and p.offset in OFFSETS)]
    inner = [p for p in points if p is None or (p.cell in ("here", "meant") and p.offset in (0.0, 0.5))]
    lengths = [Unit("px"), Unit("stride", held.stride), Unit("width"), Unit("height")]
    if held.others:
        lengths += [Unit("prior width"), Unit("prior height")]
    divided = np.stack([unit.length(held) for unit in lengths])
    zero = np.zeros(len(held))
    for quantity in PLACES:
        axis = axis_of(quantity)
        after = np.stack([zero if p is None else p.point(held, axis) for p in points])
        before = np.stack([zero if p is None else p.point(held, axis) for p in inner])
        apart = (held.quantity(quantity) - before) / held.stride
        for name, scale in product(("clamp", "mod 1", "identity"), (held.stride, 1.0)):
            if scale == 1.0 and name == "identity":
                continue
            inside = FUNCTIONS[name](apart) * scale
            less = 0.2 if name == "clamp" else 1.0
            for i, j, k in _hits_among(value, partial(_upon, inside, after, divided, less)):
                if scale == 1.0 and lengths[k].name == "px" and points[j] is None:
                    yield Term(quantity, Unit("stride", held.stride), inner[i], function=name)
                    continue
                outer = None if scale == held.stride else scale
                yield Term(
                    quantity=quantity,
                    unit=lengths[k],
                    reference=inner[i],
                    function=name,
                    inner=held.stride,
                    outer=outer,
                    added=points[j],
                )
        for constant in (0.0, 0.5, 1.0, -0.5):
            guess = (constant * held.stride + after)[:, None] / divided
            for j, k in _hits(value, guess, np.broadcast_to(SLACK / divided, guess.shape)):
                yield Term(quantity, lengths[k], inner=held.stride, added=points[j], constant=constant)


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
