"""Where a level's classes and boxes answer to changes of single cells of its feature map, place by place."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from anatomy import Head, Pass
from anatomy.head.forward import Outputs
from anatomy.tracing.gradient import SAME

from .sight import middle_of

ROWS, COLS = 4, 4  # parts of a feature map in each of which a cell is changed,
EDGE = 2  # so far from its borders
NEAR = 2.0  # cells: the width of the window in which the middle of a change is sought
STEADY = 0.5  # cells: where single places differ by more, nothing is concluded
FAINT = 1e-7  # of the strongest energy of an answer: less is no part of it
EVEN = 0.2  # cells: where no two places differ by more, parts of a cell are told
WHOLE = 0.75  # cells: a place that answers so far from where most do answers elsewhere
FEWEST, SHARE = 2, 0.12  # places, and of all places, that answer elsewhere where cells are strewn


@dataclass(frozen=True)
class Places:
    """``beside`` (2,) xy in cells: how far from its classes a level's boxes answer, None where that cannot be told.

    ``at`` (2,) xy in cells: how far from what changed its classes answer, None likewise. ``even``: all places say the
    same of ``beside``, to a part of a cell.
    ``classes``, ``boxes``: the share of places that answer elsewhere than the others do, 0 where all do alike.
    """

    beside: np.ndarray | None = None
    at: np.ndarray | None = None
    classes: float = 0.0
    boxes: float = 0.0
    even: bool = False


def read_places(head: Head, pass_: Pass, outputs: Outputs, shown: Sequence[np.ndarray | None]) -> dict[int, Places]:
    """The places of every level by its index.

    ``outputs``: what the network makes of the input of the pass; ``shown`` (c, h, w): the raw box outputs that the pass
    hands over. Cells of the feature map that the head reads are changed one by one: classes and boxes must answer
    around them. Then the pass must hand both over from there.
    Raises UnsupportedModelError for a head that does not say how a level is run alone.
    """
    found = {}
    for level in range(len(outputs.inputs)):
        within = _within(head, outputs.inputs[level], level, pass_.branch)
        moved = _handed_over(pass_, outputs, level, shown[level])
        steps = [one for one in (within, moved) if one is not None]
        found[level] = Places(
            beside=_together([boxes - classes for classes, boxes in steps]),
            at=_together([classes for classes, _ in steps]),
            even=all(np.ptp((boxes - classes)[:, :2], 0).max() < EVEN for classes, boxes in steps),
            classes=max((_elsewhere(classes) for classes, _ in steps), default=0.0),
            boxes=max((_elsewhere(boxes) for _, boxes in steps), default=0.0),
        )
    return found


def _together(steps: Sequence[np.ndarray]) -> np.ndarray | None:
    """The sum (2,) of how far both steps lead from cells (n, 3); None where one of them cannot tell."""
    known = [part for part in (agreed(step[:, :2]) for step in steps) if part is not None]
    return np.sum(known, 0) if len(known) == 2 else None


def _within(head: Head, x: Tensor, level: int, branch: str) -> tuple[np.ndarray, np.ndarray] | None:
    """(n, 3): how far from a changed cell classes and boxes answer, xy in cells, and how widely, by the level alone."""
    rows, cols = x.shape[2:]
    if min(rows, cols) < 2 * EDGE + 1:
        return None
    rng = np.random.default_rng(0)
    places = np.array([(row, col) for row in _spread(rows, ROWS, rng) for col in _spread(cols, COLS, rng)])
    changed = x.detach().expand(len(places), -1, -1, -1).clone()
    noise = torch.from_numpy(rng.normal(size=(len(places), x.shape[1]))).to(x)
    for index, (row, col) in enumerate(places):
        changed[index, :, row, col] += x.detach().std() * noise[index]
    with torch.no_grad():
        before = head.level_outputs(level, x.detach(), branch)
        after = head.level_outputs(level, changed, branch)
    changes = [(late - early).double().square().sum(1).cpu().numpy() for early, late in zip(before, after, strict=True)]
    if any(change.shape[1:] != (rows, cols) for change in changes):
        return None
    middle = np.column_stack((places[:, ::-1] + 0.5, np.zeros(len(places))))
    classes, boxes = (np.array([_answer(one) for one in change]) - middle for change in changes)
    return classes, boxes


def _spread(side: int, parts: int, rng: np.random.Generator) -> list[int]:
    """A number from each of so many parts of a side, far from both ends."""
    ends = np.linspace(EDGE, side - EDGE, parts + 1)
    return [int(rng.integers(int(low), max(int(high), int(low) + 1))) for low, high in pairwise(ends)]


def _answer(change: np.ndarray) -> tuple[float, float, float]:
    """xy in cells of the middle of a change (h, w), and how widely it lies about it."""
    if not change.max() > 0:
        return np.nan, np.nan, np.nan
    touched = [np.flatnonzero(change.max(axis) > FAINT * change.max()) for axis in range(2)]
    if all(2 * np.ptp(line) < side for line, side in zip(touched, change.shape[::-1], strict=True)):
        x, y = ((line[0] + line[-1] + 1) / 2 for line in touched)  # of the field that a convolution answers in
    else:
        x, y = middle_of(change, NEAR)
    rows, cols = np.indices(change.shape) + 0.5
    apart = np.maximum(np.abs(cols - x), np.abs(rows - y))
    near = apart <= 2 * NEAR
    return x, y, float(np.sqrt((change[near] * apart[near] ** 2).sum() / max(change[near].sum(), 1e-300)))


def _handed_over(
    pass_: Pass, outputs: Outputs, level: int, shown: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """(n, 3): from how far the pass takes classes and boxes, xy in cells, and 0; None where it takes others."""
    made = outputs.raw[level].detach()[0]
    if shown is None or made.shape != shown.shape:
        return np.zeros((1, 3)), np.zeros((1, 3))  # nothing tells
    rng = np.random.default_rng(0)
    logits, given = outputs.logits[level].detach()[0], pass_.logits[level].cpu().numpy()
    away = []
    for row in _spread(made.shape[1], ROWS, rng):
        for col in _spread(made.shape[2], COLS, rng):
            classes, boxes = _place(logits, given, row, col), _place(made, shown, row, col)
            if classes is None or boxes is None:
                return None
            away.append((*classes, 0, *boxes, 0))
    far = np.array(away, float)
    return far[:, :3], far[:, 3:]


def _place(made: Tensor, shown: np.ndarray, row: int, col: int) -> tuple[int, int] | None:
    """How far a cell, x and y, lies from where the network's own outputs (c, h, w) hold what is handed over as it."""
    if len(shown) != len(made):
        return None
    spread = made.flatten(1).std(1).square().sum().sqrt()
    away = (made - torch.as_tensor(shown[:, row, col]).to(made)[:, None, None]).square().sum(0).sqrt()
    if not away.min() <= SAME * spread:
        return None
    if away[row, col] <= SAME * spread:
        return 0, 0
    other = divmod(int(away.argmin()), away.shape[1])
    return col - other[1], row - other[0]


def agreed(away: np.ndarray) -> np.ndarray | None:
    """The median of (n, 2); None where places disagree."""
    if not np.isfinite(away).all():
        return None
    middle = np.median(away, 0)
    apart = np.abs(away - middle)
    steady = (np.median(apart, 0) <= STEADY).all() and (apart.max(1) > WHOLE + STEADY).mean() < SHARE
    return middle if steady else None


def _elsewhere(answers: np.ndarray) -> float:
    """The share of places (n, 3) that answer farther from where most do than their answer is wide."""
    answers = answers[np.isfinite(answers).all(1)]
    if not len(answers):
        return 0.0
    away, wide = answers[:, :2], answers[:, 2]
    apart = np.abs(away[:, None] - away).max(2)
    most = apart[(apart < STEADY).sum(1).argmax()]
    other = most > WHOLE + wide / 2
    return float(other.mean()) if other.sum() >= FEWEST and other.mean() >= SHARE else 0.0
