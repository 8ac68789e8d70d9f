"""From which cells and images the boxes that come out are taken."""

from collections.abc import Sequence

import numpy as np

from ..boxes.motion import boxes as meant_boxes
from ..boxes.terms import declared
from ..boxes.writing import at_cells, every_cell
from ..layout import TargetLayout
from .asking import Asker
from .trials import Given, Trial, ask, laid


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


def origin(asker: Asker, trial: Trial) -> tuple[str, str] | None:
    """A code and words, where boxes that come out are those of other cells in an order that can be told."""
    layout = asker.layout
    outputs = laid(layout, trial.size, trial.noise, trial.given)
    wrong = trial.came
    found = [_cells_of(layout, trial, outputs, level) for level in range(len(layout.strides))]
    level = trial.given.level
    others = [i for i, cells in enumerate(found) if i != level and _known(cells, wrong) >= 0.7]
    if others:
        what = "levels_reversed", f"its cells get the boxes of level {others[0]}"
        return what if _known(found[level], wrong) < 0.5 else None
    if _known(found[level], wrong) < 0.7:
        return None
    known = wrong & (found[level][:, 0] >= 0)
    return _turned(found[level][known], trial.given.cells[known], outputs[level].shape[-2:])


def _known(cells: np.ndarray, wanted: np.ndarray) -> float:
    return float((cells[wanted, 0] >= 0).mean()) if wanted.any() else 0.0


def _cells_of(layout: TargetLayout, trial: Trial, outputs: Sequence[np.ndarray], level: int) -> np.ndarray:
    """(n, 3): the anchor, row and column whose box each prediction got, -1 where that is of no cell of the level."""
    cells = every_cell(layout, level, trial.size)
    found = np.full((len(trial.boxes), 3), -1)
    a, r, c = cells.T
    for image in np.unique(trial.given.images):
        values = outputs[level][image][a, :, r, c][:, list(layout.box)]
        held = at_cells(layout, level, trial.size, np.zeros((len(cells), 4)), cells, values)
        boxes = meant_boxes(held, declared(layout, level))
        for i in np.flatnonzero((trial.given.images == image) & trial.came):
            apart = np.abs(boxes - trial.boxes[i]).max(1)
            nearest = int(apart.argmin())
            if apart[nearest] < 0.02 * layout.strides[level]:
                found[i] = cells[nearest]
    return found


def _turned(came: np.ndarray, given: np.ndarray, grid: tuple[int, ...]) -> tuple[str, str] | None:
    """Boxes of cells in the order of columns where rows were asked."""
    height, width = grid
    rows, columns = given[:, 1], given[:, 2]
    flat, turned = rows * width + columns, columns * height + rows
    options = {
        "boxes are listed column by column, scores row by row": (flat % height, flat // height),
        "boxes are listed row by row, scores column by column": (turned // width, turned % width),
        "rows and columns of the boxes change places": (columns, rows),
    }
    for words, (row, column) in options.items():
        if ((came[:, 1] == row) & (came[:, 2] == column)).mean() >= 0.9 and (came[:, 1:] != given[:, 1:]).any():
            return "axes_swapped", words
    return None


__all__ = ["Given", "changes", "origin"]
