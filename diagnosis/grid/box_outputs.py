"""Do the box outputs of a level lie in the cells that its classes lie in? They must move with the image as these do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from anatomy import Head, Pass, Pyramid

from .motion import Motion, measure_motion
from .places import NEAR, Places, agreed
from .sight import middle_of


@dataclass(frozen=True)
class BoxOutputs:
    """How a level's raw box outputs answered: ``right`` and ``down`` as its classes' in ``GridLevel``.

    ``signal``: how strongly, a share of the largest output. ``beside`` (2,) xy in cells: how far from where its classes
    answer its boxes do; None where that cannot be told. ``strewn``: the share of places where they answer elsewhere
    than where they do at the others; ``even``: all of them say the same of ``beside``, to a part of a cell.
    """

    right: Motion
    down: Motion
    signal: float
    beside: np.ndarray | None = None
    strewn: float = 0.0
    even: bool = False

    @property
    def agreement(self) -> float:
        """How well their answer moved as a whole, of both moves the worse."""
        return min(self.right.agreement, self.down.agreement)


def read_box_outputs(head: Head, passes: Sequence[Pass], level: int, moved: float) -> BoxOutputs | None:
    """From the passes of ``probe``; ``moved`` cells a step. None where a head keeps no output a cell."""
    maps = [outputs_of(head.pyramid(pass_), pass_, level) for pass_ in passes]
    kept = [part for part in maps if part is not None]
    if len(kept) < len(maps):
        return None
    grey, still, right, down = kept
    return BoxOutputs(
        right=measure_motion(still - grey, right - grey, (0, moved)),
        down=measure_motion(still - grey, down - grey, (moved, 0)),
        signal=float(np.abs(still - grey).max() / max(np.abs(grey).max(), 1e-12)),
    )


def outputs_of(pyramid: Pyramid, pass_: Pass, level: int) -> np.ndarray | None:
    """(c, h, w): a level's raw box outputs."""
    shape = pyramid.shapes[level]
    rows, cols = np.indices(shape)
    index = pyramid.anchor(level, rows.ravel(), cols.ravel())
    values = pass_.box_logits
    if values is None or values.dim() != 2 or values.shape[1] <= index[-1]:
        return None
    return values.double().cpu().numpy()[:, index].reshape(-1, *shape)


def touched(head: Head, passes: Sequence[Pass], level: int) -> Places:
    """How far beside classes boxes answer: passes of an image, and of it with a small patch changed here and there."""
    pyramid, away = head.pyramid(passes[0]), []
    before = outputs_of(pyramid, passes[0], level)
    for pass_ in passes[1:]:
        after = outputs_of(pyramid, pass_, level)
        if before is None or after is None:
            return Places()
        classes = (pass_.logits[level] - passes[0].logits[level]).double().square().sum(0).cpu().numpy()
        boxes = ((after - before) ** 2).sum(0)
        if not classes.max() > 0 or not boxes.max() > 0:
            return Places()
        away.append(middle_of(boxes, NEAR) - middle_of(classes, NEAR))
    return Places(agreed(np.array(away)))


def with_places(found: BoxOutputs | None, places: Places) -> BoxOutputs | None:
    """The same with a measure of where boxes lie."""
    return None if found is None else replace(found, beside=places.beside, strewn=places.boxes, even=places.even)
