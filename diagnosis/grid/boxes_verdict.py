"""What a level's boxes say: whether they lie in the cells of the classes, and are decoded about their points."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..findings import Finding
from .aim import STRAIGHT_CURVE
from .cells_verdict import MARGIN
from .probe import CLEAR, SEEN, GridLevel
from .slopes import FEWEST, away, fewer, finding, lost, shrunk, slope_fault

SCATTER = 0.15  # cells: boxes that follow their cells so closely tell the decoder's grid
CLEAN = 0.15  # cells: an offset of the decoder's points below which boxes off labels are the labels' affair
HALF, WHOLE = 0.3, 0.75  # cells: an offset of boxes beyond these is half a cell, and a whole one
ASTRAY = 0.08  # by which the slope of points may differ from that of their cells,
REACH = 0.1  # of a stride: by which the sides that bins make may be decoded with another
EXACT, EXACTLY = 0.05, 0.02  # and where they scatter by fewer cells than the first, by the second


def boxes_fault(level: GridLevel, step: int) -> Finding | None:
    """The cells are right; are the boxes decoded from them?"""
    mistake = level.aim.mistake
    if mistake is not None:
        words = f"its boxes lie exactly about points {mistake.words}. Look at how the decoder builds its grid."
        return finding(level, mistake.code, words)
    if level.aim.reach is not None and abs(level.aim.reach - 1) > REACH:
        stride = level.stride * level.aim.reach
        words = f"the sides of its boxes are its bins times a stride of {stride:.3g}, not {level.stride:g}."
        return finding(level, "wrong_stride", words, measured_stride=stride)
    moves = np.stack((level.boxes_right, level.boxes_down)) / step  # identity where all is well
    words = f"for {step} px to the right its boxes moved {np.round(level.boxes_right, 1).tolist()} px"
    told = level.aim.scatter < SCATTER
    if told:
        moves = level.aim.slope
        words = f"over {step} px of cells to the right its boxes move {np.round(step * moves[0], 1).tolist()} px"
    elif level.agreement < CLEAR or level.signal < SEEN:
        return None
    least = 0.3 if level.aim.offset is None else EXACTLY if level.aim.scatter < EXACT else ASTRAY
    least = STRAIGHT_CURVE if level.aim.exact else least
    if not np.isfinite(moves).all() or np.abs(moves - np.eye(2)).max() < least:
        return None
    if np.abs(np.diag(moves)).max() < 0.3 and min(moves[0, 1], moves[1, 0]) > 0.3:
        return finding(level, "axes_swapped", f"{words}. The decoder takes rows for columns.")
    scale = float(np.diag(moves).mean())
    if np.abs(moves - scale * np.eye(2)).max() < 0.15 * scale:
        stride = level.stride * scale
        return finding(level, "wrong_stride", f"{words}: decoded with stride {stride:.3g}.", measured_stride=stride)
    if level.aim.exact and np.diag(moves).min() > 0 and np.abs(np.diag(moves[:, ::-1])).max() < STRAIGHT_CURVE:
        strides = tuple((level.stride * np.diag(moves)).tolist())
        words = f"{words}: decoded with stride {strides[0]:.3g} along x and {strides[1]:.3g} along y."
        return finding(
            level, "wrong_stride", words, measured_stride=max(strides, key=lambda one: abs(one - level.stride))
        )
    if level.agreement > 0.9 or told:
        return finding(level, "scrambled_layout", f"{words}. The decoder does not place boxes at their cells.")
    return None


def outputs_fault(level: GridLevel, step: int) -> Finding | None:
    """The classes are right; do the box outputs lie in the same cells?"""
    found = level.box_outputs
    if found is None or level.agreement < CLEAR or min(level.signal, found.signal) < SEEN:
        return None
    moves = (found.right, found.down)
    evidence: dict[str, Any] = {"box_outputs_moved": tuple((move.rows, move.cols) for move in moves)}
    if found.right.flat and min(level.cells) > 1:
        words = "a patch changes its box outputs in all cells alike. Check means and expansions."
        return finding(level, "scrambled_layout", words, **evidence)
    if lost(level, found.agreement, found.signal):
        words = "what a patch changes in its box outputs moves nowhere with it, as its classes do. Check reshapes."
        return finding(level, "scrambled_layout", words, **evidence)
    torn = max(move.torn for move in moves)
    if torn:
        words = f"{torn:.0%} of the answer of its box outputs lies in rows or columns that do not move with the others."
        return finding(level, "scrambled_layout", f"{words} Check reshapes.", **evidence)
    if all(move.declared is not None and move.declared > move.agreement - MARGIN for move in moves):
        return _strewn_fault(level) or _beside_fault(level)
    if found.agreement < CLEAR:
        if max(found.right.declared or 0, found.down.declared or 0) > 0.3 or min(level.cells) < FEWEST:
            return _strewn_fault(level)
        words = "what a patch changes in its box outputs does not move with it, as its classes do. Check reshapes."
        return finding(level, "scrambled_layout", words, **evidence)
    slope = np.array([[move.cols, move.rows] for move in moves]) * level.stride / step
    if shrunk(slope):
        return finding(level, "scrambled_layout", f"its box outputs moved {fewer(*moves, step)}", **evidence)
    words = f"for {step} px to the right its box outputs moved {moves[0].rows} rows and {moves[0].cols} columns"
    return slope_fault(level, slope, words, 0.01) or finding(
        level, "scrambled_layout", f"{words}, its classes as declared. Check reshapes.", **evidence
    )


def _strewn_fault(level: GridLevel) -> Finding | None:
    """Box outputs that answer elsewhere at some places than at the others."""
    if level.box_outputs is None or not level.box_outputs.strewn:
        return None
    share = level.box_outputs.strewn
    words = f"at {share:.0%} of places its box outputs answer in other cells than where they do at the others."
    return finding(level, "scrambled_layout", f"{words} Check reshapes and indices.", strewn=share)


def _beside_fault(level: GridLevel) -> Finding | None:
    """Box outputs that lie a whole cell beside the classes, or exactly a part of one."""
    beside = None if level.box_outputs is None else level.box_outputs.beside
    if level.box_outputs is None or beside is None:
        return None
    if np.abs(beside).max() < (HALF if level.box_outputs.even else WHOLE):
        return None
    words = f"its cells look {away(-beside)} of where its boxes answer. Look for a roll, a padding or a crop of either."
    code = "half_cell_offset" if np.abs(beside).max() < WHOLE else "off_by_one_cell"
    return finding(level, code, words, beside=tuple(beside.tolist()))


def offset_fault(level: GridLevel) -> Finding | None:
    """The boxes follow their cells; do they lie beside them? The decoder tells, and labelled objects know better."""
    point, objects = level.aim.offset, level.objects
    known = objects if objects is not None and objects.sure else None
    evidence: dict[str, Any] = {"decoder_offset": None if point is None else tuple(point.tolist())}
    clean = point is not None and np.abs(point).max() < CLEAN
    if known is not None and not clean and np.abs(known.offset).max() >= HALF:
        words = f"boxes lie {away(known.offset)} of {len(known.each)} labelled objects"
        evidence |= {"spread": tuple(known.spread.tolist()), "objects": len(known.each)}
        return _offset_finding(level, known.offset, f"{words}. Check the grid offset of the decoder.", **evidence)
    if point is None or np.abs(point).max() < HALF:
        return None
    words = f"boxes are measured from a point {away(point)} of the points of their cells"
    if known is not None:
        words = (
            f"{words}, and yet lie on the labelled objects: the detector was trained so. Declare it where you encode."
        )
        return _offset_finding(level, point, words, "warning", **evidence)
    return _offset_finding(level, point, f"{words}. Check the grid offset of the decoder.", **evidence)


def points_apart(levels: Sequence[GridLevel], findings: Sequence[Finding]) -> list[Finding]:
    """Levels whose boxes are measured from points a part of a cell aside, where those of another level are not.

    What all levels share may be a convention; a part of a cell on some of them is none.
    """
    accused = {one.level for one in findings if one.severity == "error"}
    points = {level.index: level.aim.offset for level in levels if level.aim.exact and level.aim.offset is not None}
    right = [index for index, point in points.items() if np.abs(point).max() < EXACT]
    found = []
    for level in levels:
        point = points.get(level.index)
        if level.index in accused or point is None or not right or np.abs(point).max() < CLEAN:
            continue
        words = (
            f"boxes are measured from a point {away(point)} of the points of their cells, on other levels from these"
        )
        found.append(_offset_finding(level, point, f"{words}. Check the grid offset of the decoder."))
    return found


def _offset_finding(level: GridLevel, offset: np.ndarray, words: str, severity: str = "error", **more: Any) -> Finding:
    code = "half_cell_offset" if np.abs(offset).max() < WHOLE else "off_by_one_cell"
    return finding(level, code, words, severity, offset=tuple(offset.tolist()), **more)
