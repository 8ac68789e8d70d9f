"""Do the box outputs of a level lie in the cells that its classes lie in? They must move with the image as these do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anatomy import Head, Pass

from .motion import Motion, measure_motion

PEAK = 0.25  # of the greatest change: weaker ones have no say in where it lies


@dataclass(frozen=True)
class BoxOutputs:
    """How a level's raw box outputs answered: ``right`` and ``down`` as its classes' in ``GridLevel``.

    ``beside`` (2,) xy in cells: how far from the change of its classes theirs lies; ``signal``: how strong it is, a
    share of the largest output.
    """

    right: Motion
    down: Motion
    beside: np.ndarray
    signal: float

    @property
    def agreement(self) -> float:
        """How well their answer moved as a whole, of both moves the worse."""
        return min(self.right.agreement, self.down.agreement)


def read_box_outputs(head: Head, passes: Sequence[Pass], level: int, moved: float) -> BoxOutputs | None:
    """From the passes of ``probe``; ``moved`` cells a step. None where a head keeps no output a cell."""
    maps = [_outputs(head, pass_, level) for pass_ in passes]
    if any(part is None for part in maps):
        return None
    grey, still, right, down = (part for part in maps if part is not None)
    classes = [pass_.logits[level].double().cpu().numpy() for pass_ in passes]
    pairs = [(box - grey, logits - classes[0]) for box, logits in zip((still, right, down), classes[1:], strict=True)]
    beside = [_middle(box) - _middle(logits) for box, logits in pairs]
    return BoxOutputs(
        right=measure_motion(still - grey, right - grey, (0, moved)),
        down=measure_motion(still - grey, down - grey, (moved, 0)),
        beside=np.median(beside, 0),
        signal=float(np.abs(still - grey).max() / max(np.abs(grey).max(), 1e-12)),
    )


def _outputs(head: Head, pass_: Pass, level: int) -> np.ndarray | None:
    """(c, h, w): a level's raw box outputs."""
    shape = head.pyramid(pass_).shapes[level]
    rows, cols = np.indices(shape)
    index = head.pyramid(pass_).anchor(level, rows.ravel(), cols.ravel())
    values = pass_.box_logits
    if values is None or values.dim() != 2 or values.shape[1] <= index[-1]:
        return None
    return values.double().cpu().numpy()[:, index].reshape(-1, *shape)


def _middle(change: np.ndarray) -> np.ndarray:
    """(2,) xy in cells: the middle of a change (c, h, w)."""
    size = np.sqrt((change**2).sum(0))
    size = (size - PEAK * size.max()).clip(0)
    rows, cols = np.indices(size.shape)
    return np.array([(size * cols).sum(), (size * rows).sum()]) / max(size.sum(), 1e-300)
