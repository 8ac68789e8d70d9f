"""Do the box outputs of a level lie in the cells that its classes lie in? They must move with the image as these do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from anatomy import Head, Pass, Pyramid
from anatomy.head.forward import Outputs
from anatomy.tracing.gradient import SAME

from .motion import Motion, measure_motion
from .sight import middle_of

CHANGED = 12  # cells of a feature map that are changed, one by one,
EDGE = 2  # so far from its borders
NEAR = 2.0  # cells: the width of the window in which the middle of a change is sought
STEADY = 0.5  # cells: where single places differ by more, nothing is concluded


@dataclass(frozen=True)
class BoxOutputs:
    """How a level's raw box outputs answered: ``right`` and ``down`` as its classes' in ``GridLevel``.

    ``signal``: how strongly, a share of the largest output. ``beside`` (2,) xy in cells: how far from where its classes
    answer its boxes do; None where that cannot be told.
    """

    right: Motion
    down: Motion
    signal: float
    beside: np.ndarray | None = None

    @property
    def agreement(self) -> float:
        """How well their answer moved as a whole, of both moves the worse."""
        return min(self.right.agreement, self.down.agreement)


def read_box_outputs(head: Head, passes: Sequence[Pass], level: int, moved: float) -> BoxOutputs | None:
    """From the passes of ``probe``; ``moved`` cells a step. None where a head keeps no output a cell."""
    maps = [_outputs(head.pyramid(pass_), pass_, level) for pass_ in passes]
    kept = [part for part in maps if part is not None]
    if len(kept) < len(maps):
        return None
    grey, still, right, down = kept
    return BoxOutputs(
        right=measure_motion(still - grey, right - grey, (0, moved)),
        down=measure_motion(still - grey, down - grey, (moved, 0)),
        signal=float(np.abs(still - grey).max() / max(np.abs(grey).max(), 1e-12)),
    )


def _outputs(pyramid: Pyramid, pass_: Pass, level: int) -> np.ndarray | None:
    """(c, h, w): a level's raw box outputs."""
    shape = pyramid.shapes[level]
    rows, cols = np.indices(shape)
    index = pyramid.anchor(level, rows.ravel(), cols.ravel())
    values = pass_.box_logits
    if values is None or values.dim() != 2 or values.shape[1] <= index[-1]:
        return None
    return values.double().cpu().numpy()[:, index].reshape(-1, *shape)


def beside_classes(head: Head, pass_: Pass, outputs: Outputs) -> dict[int, np.ndarray | None]:
    """How far beside its classes each level's box outputs lie, (2,) xy in cells; None where that cannot be told.

    ``outputs``: what the network makes of the input of the pass. Single cells of the feature map that the head reads
    are changed: classes and boxes must answer around the same cell. Then the pass must hand both over from one place.
    Raises UnsupportedModelError for a head that does not say how a level is run alone.
    """
    found = {}
    for level in range(len(outputs.inputs)):
        within = _within(head, outputs.inputs[level], level, pass_.branch)
        moved = _handed_over(head, pass_, outputs, level)
        found[level] = None if within is None or moved is None else within + moved
    return found


def _within(head: Head, x: Tensor, level: int, branch: str) -> np.ndarray | None:
    """The part of it that the level's own layers make."""
    rng = np.random.default_rng(0)
    rows, cols = x.shape[2:]
    if min(rows, cols) < 2 * EDGE + 1:
        return None
    places = np.stack([rng.integers(EDGE, side - EDGE, CHANGED) for side in (rows, cols)], 1)
    changed = x.detach().expand(CHANGED, -1, -1, -1).clone()
    noise = torch.from_numpy(rng.normal(size=(CHANGED, x.shape[1]))).to(x)
    for index, (row, col) in enumerate(places):
        changed[index, :, row, col] += x.detach().std() * noise[index]
    with torch.no_grad():
        before = head.level_outputs(level, x.detach(), branch)
        after = head.level_outputs(level, changed, branch)
    middles = [
        _middles((late - early).double().square().sum(1).cpu().numpy())
        for early, late in zip(before, after, strict=True)
    ]
    return _agreed(middles[1] - middles[0])


def _middles(changes: np.ndarray) -> np.ndarray:
    """(n, 2) xy in cells: the middle of each of n changes (h, w)."""
    return np.array([middle_of(change, NEAR) if change.max() > 0 else (np.nan, np.nan) for change in changes])


def _handed_over(head: Head, pass_: Pass, outputs: Outputs, level: int) -> np.ndarray | None:
    """(2,) xy in cells: how far from where classes are taken the box outputs are taken, in what the pass hands over."""
    shown = _outputs(head.pyramid(pass_), pass_, level)
    made = outputs.raw[level].detach()[0]
    if shown is None or made.shape != shown.shape:
        return np.zeros(2)
    away = []
    for row in (EDGE, made.shape[1] // 2, made.shape[1] - EDGE):
        boxes = _place(made, shown[:, row, made.shape[2] // 2])
        classes = _place(
            outputs.logits[level].detach()[0], pass_.logits[level][:, row, made.shape[2] // 2].cpu().numpy()
        )
        if boxes is None or classes is None:
            return None
        away.append((boxes[1] - classes[1], boxes[0] - classes[0]))
    return _agreed(np.array(away, float))


def _place(made: Tensor, shown: np.ndarray) -> tuple[int, int] | None:
    """The cell of the network's own outputs (c, h, w) that is handed over as these numbers."""
    if len(shown) != len(made):
        return None
    spread = made.flatten(1).std(1).square().sum().sqrt()
    away = (made - torch.as_tensor(shown).to(made)[:, None, None]).square().sum(0).sqrt()
    if not away.min() <= SAME * spread:
        return None
    row, col = divmod(int(away.argmin()), away.shape[1])
    return row, col


def touched(head: Head, passes: Sequence[Pass], level: int) -> np.ndarray | None:
    """The same without gradients: passes of an image, and of it with a small patch changed at different places."""
    pyramid, away = head.pyramid(passes[0]), []
    before = _outputs(pyramid, passes[0], level)
    for pass_ in passes[1:]:
        after = _outputs(pyramid, pass_, level)
        if before is None or after is None:
            return None
        classes = (pass_.logits[level] - passes[0].logits[level]).double().square().sum(0).cpu().numpy()
        boxes = ((after - before) ** 2).sum(0)
        if not classes.max() > 0 or not boxes.max() > 0:
            return None
        away.append(middle_of(boxes, NEAR) - middle_of(classes, NEAR))
    return _agreed(np.array(away))


def _agreed(away: np.ndarray) -> np.ndarray | None:
    """The median of (n, 2); None where places disagree."""
    if not np.isfinite(away).all():
        return None
    middle = np.median(away, 0)
    return middle if (np.median(np.abs(away - middle), 0) <= STEADY).all() else None


def with_beside(found: BoxOutputs | None, beside: np.ndarray | None) -> BoxOutputs | None:
    """The same with a measure of where boxes lie."""
    return None if found is None else replace(found, beside=beside)
