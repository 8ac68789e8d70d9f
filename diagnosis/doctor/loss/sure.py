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
            half, surely = (_pulled(truth, asker, channels, step, masks) for step in (HALF, SURELY))
            alone = where == "empty cells" and surely == 0  # the whole of the background pays otherwise
            if 1 - surely > FLAT and (half > surely or alone):
                words = f"{name} that are surely wrong in {where} get no gradient"
                found.append(Said("no_gradient", words, name))
                break
    return found


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
