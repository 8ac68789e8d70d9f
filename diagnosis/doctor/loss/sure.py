"""Scores that are surely wrong: of objects, and in a few empty cells among many that are right."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..boxes.writing import unstored
from .asking import Asker, Failed, Levels
from .parts import groups, toward
from .said import Said
from .truth import Truth

SURELY, HALF = 0.97, 0.5
"""Shares of the way from right to wrong."""
LOGITS, BEYOND = 4.0, 8.0
"""Ways from right to wrong from which on numbers are logits, and how far they then are followed."""
FAR = 0.75
"""The share of the way between the raw numbers of two classes at which they are surely wrong."""
FEW = 2
"""Empty cells of a level and image that are wrong."""
FLAT = 0.6
"""Of the cells that are wrong, the share that may get no gradient."""


def sure(truth: Truth, asker: Asker) -> list[Said]:
    """Scores that are pulled at where they are half wrong, and not where they are surely so.

    Whoever picks cells of the background must pick the ones that are wrong; nothing is asked of one that draws lots.
    """
    found: list[Said] = []
    for name, channels in groups(truth).items():
        places = ["objects"]
        if not asker.seeded and (name == "objectness" or truth.layout.objectness is None):
            places.append("empty cells")
        for where in places:
            masks = [_picked(truth, level, where) for level in range(len(truth.objects))]
            surely = _pulled(truth, asker, channels, SURELY, masks)
            if 1 - surely <= FLAT:
                continue
            none = where == "empty cells" and surely == 0  # others that are right are picked in their place
            if none or _pulled(truth, asker, channels, HALF, masks) > surely:
                words = f"{name} that are surely wrong in {where} get no gradient"
                found.append(Said("no_gradient", words, name))
                break
    return found


def unsure(truth: Truth, asker: Asker) -> list[Said]:
    """Scores that lie so far from the truth that an activation is at its end: the loss is finite, and its gradient.

    Not asked of raw numbers that are the probabilities themselves.
    """
    right = asker.raw(truth.levels())
    for name, channels in groups(truth).items():
        wrong = asker.raw(toward(truth, channels, 1.0, "all"))
        pairs = list(zip(right, wrong, strict=True))
        if max(float((b - a).abs().max()) for a, b in pairs) < LOGITS:
            continue
        told = len(asker.infinite)
        grads = asker.pulls([a + BEYOND * (b - a) for a, b in pairs], asker.tensors(truth.levels()))
        broken = len(asker.infinite) > told
        del asker.infinite[told:]
        if broken or _infinite(grads, right, wrong):
            words = f"the loss or its gradient is not finite where {name} are surely wrong"
            return [Said("non_finite", words, name)]
    return []


def _infinite(grads: Sequence[Tensor] | None, right: Sequence[Tensor], wrong: Sequence[Tensor]) -> bool:
    """Whether a gradient is not finite in numbers that differ."""
    triples = zip(grads or (), right, wrong, strict=False)
    return any(not bool(grad[a != b].isfinite().all()) for grad, a, b in triples)


def by_ids(truth: Truth, asker: Asker) -> list[Said]:
    """Numbers of classes, where targets hold ids, that are not pulled at in objects of some class, or of all."""
    layout = truth.layout
    if layout.class_values != "ids" or layout.class_count < 2:
        return []
    moved = truth.levels()
    for level, values in enumerate(moved):
        held, part = truth.mask(level), values[:, :, layout.class_channels[0]]
        part[held] = (part[held] + 1) % layout.class_count
    right, wrong = asker.raw(truth.levels()), asker.raw(moved)
    dull = []
    for share in (HALF, FAR):
        grads = asker.pulls(
            [a + share * (b - a) for a, b in zip(right, wrong, strict=True)], asker.tensors(truth.levels())
        )
        if grads is None:
            return []
        dull.append(_dull(truth, grads, right, wrong))
    if not dull[0] and not dull[1]:
        return []
    labels = dull[0] or dull[1]
    where = "" if dull[0] else " where they are surely wrong"
    words = f"classes of objects of class {labels} are not pulled at{where}"
    return [Said("no_gradient", words, "classes", numbers={"of classes": labels})]


def _dull(truth: Truth, grads: Sequence[Tensor], right: Sequence[Tensor], wrong: Sequence[Tensor]) -> list[int]:
    """Classes of whose objects no number that differs is pulled at."""
    parts = (unstored(part, truth.layout, truth.size) for part in (grads, right, wrong))
    labels, alive = [], []
    for one, grad, a, b in zip(truth.objects, *parts, strict=True):
        anchor, row, column = one.cells.T
        pulled = ((a != b) & (grad != 0))[one.images, anchor, :, row, column].any(1)
        labels.append(one.labels)
        alive.append(pulled.numpy())
    kinds, pulled = np.concatenate(labels), np.concatenate(alive)
    return [int(label) for label in np.unique(kinds) if not pulled[kinds == label].any()]


def _picked(truth: Truth, level: int, where: str) -> np.ndarray:
    """(B, A, H, W) bool: cells with an object, or a few without one in each image."""
    held = truth.mask(level)
    if where == "objects":
        return held
    found = np.zeros_like(held)
    for image, empty in enumerate(~held):
        places = np.flatnonzero(empty)
        at = places[np.linspace(0, len(places) - 1, FEW + 2).astype(int)[1:-1]] if len(places) else places
        found[image].flat[at] = True
    return found


def _pulled(truth: Truth, asker: Asker, channels: Sequence[int], step: float, masks: Sequence[np.ndarray]) -> float:
    """Of the cells that are wrong by ``step`` the share that is pulled at; 1 where that is not known."""
    right, wrong = truth.levels(), toward(truth, channels, step, "all")
    levels: Levels = [np.where(at[:, :, None], b, a) for a, b, at in zip(right, wrong, masks, strict=True)]
    plain, shown = asker.raw(right), asker.raw(levels)
    told = len(asker.infinite)
    try:
        grads = asker.pulls(shown, asker.tensors(right))
    except Failed:
        return 1.0
    finally:
        del asker.infinite[told:]
    if grads is None:
        return 1.0
    return _share(truth, grads, plain, shown)


def _share(truth: Truth, grads: Sequence[Tensor], plain: Sequence[Tensor], shown: Sequence[Tensor]) -> float:
    """Of the cells in which predictions differ, the share in which a number that differs is pulled at."""
    parts = (unstored(part, truth.layout, truth.size) for part in (grads, plain, shown))
    asked = pulled = 0
    for grad, a, b in zip(*parts, strict=True):
        differs = a != b
        asked += int(differs.any(2).sum())
        pulled += int((differs & (grad != 0)).any(2).sum())
    return pulled / asked if asked else 1.0
