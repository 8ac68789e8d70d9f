"""Boxes that lie far from the truth: where they overlap it still, they are pulled at; nowhere is the pull infinite."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from ..boxes.writing import unstored
from .asking import Asker, Failed
from .said import Said
from .truth import Objects, Truth

SCALES = ((0.3, "much too small"), (3.0, "much too large"))
"""Factors of sides around the place that is right, so that a tenth overlaps."""
ASIDE, BESIDE = 0.7, 3.0
"""Widths and heights by which boxes are moved: so that a sixth overlaps, and nothing."""
FLAT = 0.6
"""Of the objects, the share that may get no gradient."""
FURTHER = 1.05
"""A little more of the same, by which a number that can go no further is known."""

Move = Callable[[Objects, Truth, float], Objects]


def far(truth: Truth, asker: Asker) -> list[Said]:
    """Boxes that get no gradient though they overlap what they should, or an infinite one where they do not."""
    found = [flat for words, move, by in _moves(truth) if (flat := _flat(truth, asker, words, move, by))]
    return found[:1]


def beside(truth: Truth, asker: Asker) -> list[Said]:
    """A loss or a gradient that is not finite where boxes, which have an area, overlap nothing."""
    if truth.layout.format == "ltrb":  # around one point they all overlap
        return []
    raw = asker.raw(_all(truth, _shifted, BESIDE).levels())
    if not all(bool(torch.isfinite(level).all()) for level in raw):
        return []
    told = len(asker.infinite)
    grads = asker.pulls(raw, asker.tensors(truth.levels()))
    what = "loss" if len(asker.infinite) > told else "gradient"
    del asker.infinite[told:]
    if what == "gradient" and (grads is None or all(bool(torch.isfinite(grad).all()) for grad in grads)):
        return []
    return [Said("non_finite", f"the {what} is not finite where boxes overlap nothing of their objects", "boxes")]


def _moves(truth: Truth) -> Iterator[tuple[str, Move, float]]:
    for factor, words in SCALES:
        yield words, _scaled, factor
    if truth.layout.format != "ltrb":
        for away in (ASIDE, -ASIDE):
            yield "moved by most of their size", _shifted, away


def _flat(truth: Truth, asker: Asker, words: str, move: Move, by: float) -> Said | None:
    here, further = (asker.raw(_all(truth, move, factor).levels()) for factor in (by, by * FURTHER))
    told = len(asker.infinite)
    try:
        grads = asker.pulls(here, asker.tensors(truth.levels()))
    except Failed:
        return None
    finally:
        del asker.infinite[told:]
    if grads is None:
        return None
    parts = (unstored(part, truth.layout, truth.size) for part in (grads, here, further))
    alive = []
    for one, grad, a, b in zip(truth.objects, *parts, strict=True):
        anchor, row, column = one.cells.T
        says, pulled = ((part[one.images, anchor, :, row, column]).numpy() for part in (a != b, (a != b) & (grad != 0)))
        alive.append(pulled.any(1)[says.any(1)])
    shares = np.concatenate(alive)
    if not len(shares) or (~shares).mean() <= FLAT:
        return None
    return Said("no_gradient", f"boxes that overlap their object and are {words} get no gradient", "boxes")


def _all(truth: Truth, move: Move, by: float) -> Truth:
    return replace(truth, objects=tuple(move(one, truth, by) for one in truth.objects))


def _scaled(one: Objects, truth: Truth, factor: float) -> Objects:
    """The objects with each side so many times as far from their anchor points or middles."""
    held = one.held
    middle = (held.boxes[:, :2] + held.boxes[:, 2:]) / 2
    if truth.layout.format == "ltrb":
        middle = (held.here + truth.layout.grid_offset) * held.stride
    middle = np.tile(middle, 2)
    return replace(one, held=replace(held, boxes=middle + factor * (held.boxes - middle)))


def _shifted(one: Objects, truth: Truth, away: float) -> Objects:
    """The objects moved along x and, every second one, along y in its place, by so many of their sides."""
    held = one.held
    ways = away * (held.boxes[:, 2:] - held.boxes[:, :2])
    ways[::2, 0], ways[1::2, 1] = 0.0, 0.0
    return replace(one, held=replace(held, boxes=held.boxes + np.tile(ways, 2)))
