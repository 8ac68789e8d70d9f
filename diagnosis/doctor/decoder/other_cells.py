"""Boxes of other cells than those that hold the predictions."""

from dataclasses import replace

import numpy as np

from ..boxes.motion import boxes as meant_boxes
from ..boxes.terms import Held
from .seen import ENOUGH, Reason, Seen


def cells(held: Held) -> dict[str, tuple[str, np.ndarray]]:
    """Other cells (n, 2) column, row for which a decoder may take these, each with its code, by words."""
    height, width = held.grids.T.astype(int)
    column, row = held.here.T.astype(int)
    flat, turned = row * width + column, column * height + row
    return {
        "the grid is laid out column by column": ("axes_swapped", np.stack((flat // height, flat % height), 1)),
        "rows and columns of the grid change places": ("axes_swapped", np.stack((row, column), 1)),
        "the grid counts with the height for the width": (
            "image_size_swapped",
            np.stack((flat % height, flat // height), 1),
        ),
        "cells are read column by column, the grid row by row": (
            "axes_swapped",
            np.stack((turned % width, turned // width), 1),
        ),
        "columns are counted from the other side": ("wrong_cell", np.stack((width - 1 - column, row), 1)),
        "rows are counted from the other side": ("wrong_cell", np.stack((column, height - 1 - row), 1)),
        "rows and columns are counted from the other side": (
            "wrong_cell",
            np.stack((width - 1 - column, height - 1 - row), 1),
        ),
    }


def elsewhere(seen: Seen) -> Reason | None:
    """The boxes of other cells' anchor points."""
    if all(term.reference is None for term in seen.terms):
        return None
    best: tuple[float, Reason] | None = None
    for words, (code, others) in cells(seen.given).items():
        moved = replace(seen.given, here=others.astype(float))
        share = seen.told(meant_boxes(moved, seen.terms))
        if share >= ENOUGH and (best is None or share > best[0] + 0.02):
            best = share, Reason((code,), words, share)
    return best[1] if best else None
