"""From which cells and images the boxes that come out are taken."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..boxes.motion import boxes as meant_boxes
from ..boxes.terms import declared
from ..boxes.writing import at_cells, every_cell
from ..layout import TargetLayout
from .asking import Asker
from .explaining import reason
from .predictions import laid
from .seen import ENOUGH, FEWEST, Seen
from .trials import Trial, ask


def changes(asker: Asker, trial: Trial, other: Sequence[np.ndarray], same: bool) -> bool:
    """Whether boxes change with the other cells of their own image (``same``), or with other images only."""
    given = trial.given
    for image in np.unique(given.images):
        mine = given.take(given.images == image)
        noise = [
            np.stack([(b if (i == image) == same else a)[i] for i in range(len(a))])
            for a, b in zip(trial.noise, other, strict=True)
        ]
        before, after = ask(asker, trial.size, trial.noise, mine), ask(asker, trial.size, noise, mine)
        both = before.came & after.came
        if (before.came != after.came).any() or not np.allclose(before.boxes[both], after.boxes[both], atol=1e-3):
            return True
    return False


def origin(asker: Asker, trial: Trial) -> tuple[tuple[str, ...], str] | None:
    """Codes and words, where boxes come out that stand at the same place of a list in another order."""
    layout = asker.layout
    outputs = laid(layout, trial.size, trial.noise, trial.given)
    levels = [decoded(layout, trial, outputs, level) for level in range(len(layout.strides))]
    for words, (code, boxes_in, scores_in) in _orders(layout.anchor_count).items():
        if _listed(trial, levels, _places(trial, _shapes(layout, outputs), boxes_in, scores_in)):
            return (code,), words
    return None


def repointed(asker: Asker, trial: Trial) -> tuple[tuple[str, ...], str] | None:
    """The same of boxes whose channels are their own, while points and priors are listed in another order."""
    layout = asker.layout
    if declared(layout, trial.given.level)[0].reference is None:  # no box depends on the cell that it stands in
        return None
    outputs, own = laid(layout, trial.size, trial.noise, trial.given), _own(trial)
    for words, (code, boxes_in, scores_in) in _orders(layout.anchor_count).items():
        seen = _seen(layout, trial, outputs, own, _places(trial, _shapes(layout, outputs), boxes_in, scores_in))
        if seen is not None and seen.right.mean() >= ENOUGH:
            return (code,), words.replace("boxes", "points and priors")
    return None


def reread(asker: Asker, trial: Trial) -> tuple[tuple[str, ...], str] | None:
    """The same where boxes are read otherwise too, or where their raw channels are listed so, about their own cells."""
    layout = asker.layout
    outputs, own = laid(layout, trial.size, trial.noise, trial.given), _own(trial)
    for words, (code, boxes_in, scores_in) in _orders(layout.anchor_count).items():
        places = _places(trial, _shapes(layout, outputs), boxes_in, scores_in)
        for about in (places, own):
            seen = _seen(layout, trial, outputs, places, about)
            if seen is None:
                continue
            if seen.right.mean() >= ENOUGH:
                return (code,), words
            found = reason(seen)
            if found is not None and found.share >= ENOUGH and "wrong_box" not in found.codes:
                return (code, *found.codes), f"{words}, and {found.words}"
    return None


def _own(trial: Trial) -> np.ndarray:
    """(n, 4): level, anchor, row, column of what was given."""
    return np.concatenate((np.full((len(trial.given.cells), 1), trial.given.level), trial.given.cells), 1)


def _seen(
    layout: TargetLayout, trial: Trial, outputs: Sequence[np.ndarray], places: np.ndarray, about: np.ndarray
) -> Seen | None:
    """What came beside what stands at ``places`` (n, 4) level, anchor, row, column, read as of the cells ``about``.

    Of those of one level alone, where that is most of them.
    """
    came = trial.came
    level = int(np.bincount(about[came, 0]).argmax()) if came.any() else 0
    picked = np.flatnonzero(came & (about[:, 0] == level))
    if len(picked) < max(FEWEST, 0.5 * came.sum()):
        return None
    box = list(layout.box)
    values = np.stack([outputs[at[0]][image, at[1], box, at[2], at[3]] for image, at in _pairs(trial, places, picked)])
    cells = about[picked, 1:]
    held = at_cells(layout, level, trial.size, np.zeros((len(cells), 4)), cells, values)
    held = replace(held, boxes=meant_boxes(held, declared(layout, level)))
    tolerance = 0.02 * held.stride + 1e-3 * np.abs(held.boxes).max(1)
    return Seen(held, trial.boxes[picked], tolerance, declared(layout, level))


def _pairs(trial: Trial, places: np.ndarray, picked: np.ndarray) -> list[tuple[int, np.ndarray]]:
    return [(int(trial.given.images[i]), places[i]) for i in picked]


Order = tuple[str, bool]
"""The axes of one level, slowest first, and whether levels come coarsest first."""


def _orders(anchors: int) -> dict[str, tuple[str, Order, Order]]:
    """Ways to list boxes and scores in two orders: a code, the order of boxes, that of scores, by words."""
    found: dict[str, tuple[str, Order, Order]] = {}
    for axes in ("AHW", "HWA") if anchors > 1 else ("AHW",):
        turned = axes.replace("HW", "WH")
        found["boxes are listed from the last level on, scores from the first"] = (
            "levels_reversed",
            (axes, True),
            (axes, False),
        )
        found["scores are listed from the last level on, boxes from the first"] = (
            "levels_reversed",
            (axes, False),
            (axes, True),
        )
        found["boxes are listed column by column, scores row by row"] = "axes_swapped", (turned, False), (axes, False)
        found["boxes are listed row by row, scores column by column"] = "axes_swapped", (axes, False), (turned, False)
    if anchors > 1:
        words = "boxes are listed anchor by anchor, scores cell by cell"
        found[words] = "scrambled_layout", ("AHW", False), ("HWA", False)
        words = "boxes are listed cell by cell, scores anchor by anchor"
        found[words] = "scrambled_layout", ("HWA", False), ("AHW", False)
    return found


def decoded(layout: TargetLayout, trial: Trial, outputs: Sequence[np.ndarray], level: int) -> np.ndarray:
    """(B, A, H, W, 4): the boxes of all cells of a level, as declared."""
    cells = every_cell(layout, level, trial.size)
    a, r, c = cells.T
    found = []
    for image in outputs[level]:
        values = image[a, :, r, c][:, list(layout.box)]
        held = at_cells(layout, level, trial.size, np.zeros((len(cells), 4)), cells, values)
        found.append(meant_boxes(held, declared(layout, level)))
    return np.stack(found).reshape(len(found), layout.anchor_count, *outputs[level].shape[-2:], 4)


def _listed(trial: Trial, levels: Sequence[np.ndarray], places: np.ndarray) -> bool:
    """Whether nearly all boxes that came stand at ``places`` (n, 4) of what the levels hold, as declared."""
    wanted = np.stack(
        [levels[level][image, a, r, c] for image, (level, a, r, c) in zip(trial.given.images, places, strict=True)]
    )
    apart = np.abs(wanted - trial.boxes).max(1)[trial.came]
    return len(apart) > 0 and bool((apart < 0.5).mean() >= 0.9)


def _shapes(layout: TargetLayout, outputs: Sequence[np.ndarray]) -> list[tuple[int, ...]]:
    """Anchors, rows and columns of each level."""
    return [(layout.anchor_count, *level.shape[-2:]) for level in outputs]


def _places(trial: Trial, shapes: Sequence[tuple[int, ...]], boxes_in: Order, scores_in: Order) -> np.ndarray:
    """(n, 4): level, anchor, row, column of the boxes that stand in one list where the scores given do in the other."""
    order = range(len(shapes))[::-1] if scores_in[1] else range(len(shapes))
    start = 0
    for level in order:
        if level == trial.given.level:
            break
        start += math.prod(shapes[level])
    shape = dict(zip("AHW", shapes[trial.given.level], strict=True))
    cell = dict(zip("AHW", trial.given.cells.T, strict=True))
    at = np.ravel_multi_index([cell[axis] for axis in scores_in[0]], [shape[axis] for axis in scores_in[0]])
    return _table(shapes, boxes_in)[start + at]


def _table(shapes: Sequence[tuple[int, ...]], listed: Order) -> np.ndarray:
    """(N, 4): level, anchor, row, column of all boxes as they are listed."""
    dims, parts = ["AHW".index(axis) for axis in listed[0]], []
    for level, shape in enumerate(shapes):
        index = np.indices(shape).transpose(1, 2, 3, 0).transpose(*dims, 3).reshape(-1, 3)
        parts.append(np.concatenate((np.full((len(index), 1), level), index), 1))
    return np.concatenate(parts[::-1] if listed[1] else parts)
