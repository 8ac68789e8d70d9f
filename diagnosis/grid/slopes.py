"""How a level moves for a moving patch, in the words of known faults; and how a finding of a level is made."""

from typing import Any

import numpy as np

from ..findings import Finding
from .motion import Motion
from .probe import GridLevel

LOST, STRONG = 0.3, 0.05  # an agreement below which a strong answer moves nowhere: trained detectors reach 0.45
FEWEST = 8  # rows and columns: on smaller grids a patch changes too much of what it does not cover


def finding(level: GridLevel, code: str, message: str, severity: str = "error", **more: Any) -> Finding:
    evidence = {
        "declared_stride": level.stride,
        "moved_for_x": (level.right.rows, level.right.cols),
        "moved_for_y": (level.down.rows, level.down.cols),
        "agreement": (round(level.right.agreement, 3), round(level.down.agreement, 3)),
        "boxes_for_x": tuple(np.round(level.boxes_right, 1).tolist()),
        "boxes_for_y": tuple(np.round(level.boxes_down, 1).tolist()),
        "signal": level.signal,
    }
    if level.sight is not None:
        evidence["sight_offset"] = tuple(np.round(level.sight.offset, 2).tolist())
        evidence["sight_scatter"] = round(level.sight.scatter, 2)
    return Finding(
        code=code,
        severity=severity,
        level=level.index,
        message=f"{level.name}: {message}",
        evidence={**evidence, **more},
    )


def away(offset: np.ndarray) -> str:
    return f"{offset[0]:+.2f} cells to the right and {offset[1]:+.2f} down"


def lost(level: GridLevel, agreement: float, signal: float) -> bool:
    """Whether a strong answer on a grid that is large enough moves nowhere as a whole."""
    return agreement < LOST and signal >= STRONG and min(level.cells) >= FEWEST


def shrunk(slope: np.ndarray) -> bool:
    """Whether cells move by fewer cells than declared both ways: on a grid of the declared size no stride does that."""
    along, across = np.diag(slope), np.diag(slope[:, ::-1])
    return bool(along.min() > 0 and along.max() < 0.9 and np.abs(across).max() < 0.01)


def fewer(x: Motion, y: Motion, step: int) -> str:
    return (
        f"{x.cols} columns for {step} px to the right and {y.rows} rows for as many down, fewer than on a grid of this "
        "size: cells and channels are mixed. Check reshapes."
    )


def slope_fault(level: GridLevel, slope: np.ndarray, words: str, least: float) -> Finding | None:
    """A known fault of axes or stride by how cells move (columns x, y; 1 as declared) for a move along x, y (rows)."""
    along, across = np.diag(slope), np.diag(slope[:, ::-1])
    if np.abs(across).min() > 2 * np.abs(along).max():
        return finding(level, "axes_swapped", f"{words}. Rows and columns change places; transpose the output.")
    if np.abs(across).max() > least:
        return None
    if along.min() < 0:
        which = " and ".join(name for name, way in zip(("columns", "rows"), along, strict=True) if way < 0)
        return finding(level, "scrambled_layout", f"{words}. Its {which} run the wrong way; flip the output.")
    if abs(along[0] - along[1]) <= least * along.max() and along.min() > 0:
        stride = level.stride / along.mean()
        words = f"{words}: stride {stride:.3g}, not {level.stride:g}."
        return finding(level, "wrong_stride", words, measured_stride=float(stride))
    return None
