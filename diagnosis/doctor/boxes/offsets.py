"""Offsets in cells: cut to [0, 1] or stuck at a value, upon a point that joins afterwards."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from .agreeing import hits, hits_among
from .grammar import Grammar
from .held import PLACES, axis_of
from .points import Unit
from .terms import FUNCTIONS, SLACK, Term


def offsets(known: Grammar, value: np.ndarray) -> Iterator[Term]:
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
            for i, j, k in hits_among(value, partial(_upon, inside, known.after[axis], known.upon, less)):
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
        for j, k in hits(value, guess, np.broadcast_to(SLACK / known.upon, guess.shape)):
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
