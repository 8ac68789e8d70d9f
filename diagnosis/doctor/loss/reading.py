"""Whether a loss reads the channels of a cell with several anchors in another order than they are stored in."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import permutations, product

import numpy as np
import torch
from torch import Tensor

from ..boxes.writing import stored, unstored
from .asking import Asker
from .cost import Cost
from .said import Said
from .scores import inverted
from .truth import Truth

Turn = Callable[[Tensor], Tensor]
"""(B, A, C, H, W) to the same shape, in another order."""
FEW = 3
"""Anchors of a cell of which every order is tried."""
TURNED = "with anchors and channels the other way round in memory"


def reading(truth: Truth, asker: Asker, boxes: Sequence[int] | None) -> list[Said]:
    """Whether predictions in another order are the ones that cost least; if so, all else is asked in that order.

    ``boxes``: raw box channels, from whose gradient in empty cells it is seen too, as where a loss has other faults.
    """
    if truth.layout.anchor_count == 1:
        return []
    targets = truth.levels()
    plain = asker(targets, targets, "a perfect prediction")
    leaked = _leaked(truth, asker, boxes)
    for code, words, turn in _turns(truth.layout.anchor_count):
        asker.through = partial(order, truth=truth, turn=turn)
        right = asker(targets, targets, "a perfect prediction")
        better = Cost.beside(plain, [plain]).less(right) and right < min(_others(truth, asker))
        if better or (leaked > 0 and _leaked(truth, asker, boxes) == 0):
            return [Said(code, f"predictions cost least when they are stored {words}")]
    asker.through = None
    return []


def order(shapes: Sequence[torch.Size], truth: Truth, turn: Turn) -> list[Tensor]:
    """The flat places (numel,) from which each tensor in the layout's storage is filled when levels are turned."""
    places = [torch.arange(shape.numel(), dtype=torch.float64).reshape(shape) for shape in shapes]
    levels = [turn(level).contiguous().numpy() for level in unstored(places, truth.layout, truth.size)]
    return [level.long().flatten() for level in stored(levels, truth.layout)]


def _turns(count: int) -> Iterator[tuple[str, str, Turn]]:
    """Other orders of ``count`` anchors and their channels, with a code and words."""

    def over(level: Tensor) -> Tensor:
        batch, anchors, count, rows, columns = level.shape
        return level.transpose(1, 2).reshape(batch, anchors, count, rows, columns)

    def back(level: Tensor) -> Tensor:
        batch, anchors, count, rows, columns = level.shape
        return level.reshape(batch, count, anchors, rows, columns).transpose(1, 2)

    yield "scrambled_layout", TURNED, over
    yield "scrambled_layout", TURNED, back
    for at in list(permutations(range(count)))[1:] if count <= FEW else ():
        yield "not_minimal", f"with anchors in the order {at}", partial(_anchors, at)


def _anchors(at: tuple[int, ...], level: Tensor) -> Tensor:
    return level[:, list(at)]


def _others(truth: Truth, asker: Asker) -> list[float]:
    """The loss of boxes that are off, and of scores that are wrong altogether."""
    targets, found = truth.levels(), [inverted(truth, asker)]
    for channel, step in product(range(4), (-0.3, 0.3)):
        found.append(asker(truth.nudged(channel, step), targets, "boxes that are off"))
    return found


def _leaked(truth: Truth, asker: Asker, boxes: Sequence[int] | None) -> float:
    """The share of empty cells whose boxes are pulled at, where boxes are off; 0 where it cannot be known."""
    if boxes is None:
        return 0.0
    grads = asker.pulls(asker.raw(truth.nudged(2, 0.3)), asker.tensors(truth.levels()))
    if grads is None:
        return 0.0
    found = []
    for level, grad in enumerate(unstored(grads, truth.layout, truth.size)):
        pulled = grad[:, :, list(boxes)].ne(0).any(2).numpy()
        found.append(pulled[~truth.mask(level)])
    return float(np.concatenate(found).mean())
