"""Whether a loss reads the channels of a cell with several anchors in another order than they are stored in."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

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
TURNED = "with anchors and channels the other way round in memory"


def reading(truth: Truth, asker: Asker, boxes: Sequence[int] | None) -> list[Said]:
    """Whether predictions in another order are the ones that cost least; if so, all else is asked in that order.

    ``boxes``: raw box channels, from whose gradient in empty cells it is seen too, as where a loss has other faults.
    """
    if truth.layout.anchor_count == 1:
        return []
    plain = _costs(truth, asker)
    leaked = _leaked(truth, asker, boxes)
    for words, turn in _turns():
        asker.through = partial(order, truth=truth, turn=turn)
        turned = _costs(truth, asker)
        better = Cost.beside(plain[0], [plain[0]]).less(turned[0]) and turned[0] < min(turned[1:])
        if better or (leaked > 0 and _leaked(truth, asker, boxes) == 0):
            said = f"predictions cost least when they are stored {words}"
            return [Said("scrambled_layout", said)]
    asker.through = None
    return []


def order(shapes: Sequence[torch.Size], truth: Truth, turn: Turn) -> list[Tensor]:
    """The flat places (numel,) from which each tensor in the layout's storage is filled when levels are turned."""
    places = [torch.arange(shape.numel(), dtype=torch.float64).reshape(shape) for shape in shapes]
    levels = [turn(level).contiguous().numpy() for level in unstored(places, truth.layout, truth.size)]
    return [level.long().flatten() for level in stored(levels, truth.layout)]


def _turns() -> Iterator[tuple[str, Turn]]:
    def over(level: Tensor) -> Tensor:
        batch, anchors, count, rows, columns = level.shape
        return level.transpose(1, 2).reshape(batch, anchors, count, rows, columns)

    def back(level: Tensor) -> Tensor:
        batch, anchors, count, rows, columns = level.shape
        return level.reshape(batch, count, anchors, rows, columns).transpose(1, 2)

    yield TURNED, over
    yield TURNED, back


def _costs(truth: Truth, asker: Asker) -> list[float]:
    """The loss of the truth, of boxes that are off, and of scores that are wrong altogether."""
    targets = truth.levels()
    found = [asker(targets, targets, "a perfect prediction")]
    for channel, step in ((c, s) for c in range(4) for s in (-0.3, 0.3)):
        found.append(asker(truth.nudged(channel, step), targets, "boxes that are off"))
    return [*found, inverted(truth, asker)]


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
