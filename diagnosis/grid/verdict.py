"""What the readings of a grid say against what the head declares."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from anatomy import Head, Pass

from ..findings import Finding
from .motion import Motion
from .probe import CLEAR, SEEN, GridLevel
from .sight import STRAIGHT, Sight

MARGIN = 0.25  # by which another displacement must agree better than the declared one
SCATTER = 0.15  # cells: boxes that follow their cells so closely tell the decoder's grid
CLEAN = 0.15  # cells: an offset of the decoder's points below which boxes off labels are the labels' affair
HALF, WHOLE = 0.3, 0.75  # cells: an offset of boxes beyond these is half a cell, and a whole one
STEADY = 0.8  # cells: of a wider scatter of sights nothing is concluded
ASTRAY = 0.08  # by which the slope of points may differ from that of their cells,
EXACT, EXACTLY = 0.05, 0.02  # and where they scatter by fewer cells than the first, by the second
LOST, STRONG = 0.3, 0.05  # an agreement below which a strong answer moves nowhere: trained detectors reach 0.45
SHARP = 0.3  # cells: a scatter up to which sights alone accuse a level of its axes or stride
FEWEST = 8  # rows and columns: on smaller grids a patch changes too much of what it does not cover
# Cells of correct detectors look up to 0.9 cells to the left of or above their middle and 0.6 to the right or below: a
# convolution of kernel 3, stride 2 and padding 1 looks half a pixel too far up and left, which training makes up for.
FIRST, LAST = -1.0, 0.75


def check_shapes(head: Head, pass_: Pass) -> list[Finding]:
    """Grids whose size is not that of the input over the declared stride."""
    findings, (height, width) = [], pass_.input_shape
    for level, (rows, cols) in zip(head.levels, pass_.shapes, strict=True):
        expected = (round(height / level.stride), round(width / level.stride))
        if (rows, cols) == expected:
            continue
        evidence = {"grid": (rows, cols), "expected": expected, "declared_stride": level.stride}
        if (cols, rows) == expected:
            message = (
                f"{level.name} has {rows} × {cols} cells where {expected[0]} × {expected[1]} are declared: transpose."
            )
            findings.append(
                Finding(code="axes_swapped", severity="error", level=level.index, message=message, evidence=evidence)
            )
        else:
            evidence["measured_stride"] = width / cols
            message = (
                f"{level.name} declares stride {level.stride:g}, has {rows} × {cols} cells on {height} × {width} px; "
                f"its stride is {width / cols:g}."
            )
            findings.append(
                Finding(code="wrong_stride", severity="error", level=level.index, message=message, evidence=evidence)
            )
    return findings


def judge(level: GridLevel, step: int) -> Iterator[Finding]:
    """What one level's reading says against its declaration: its cells first, then its boxes."""
    torn = _torn_fault(level)
    if torn is not None:
        yield torn
        return
    fault = _motion_fault(level, step)
    sight = _steady_sight(level, STEADY)
    if fault is not None and level.agreement < CLEAR and sight is not None:
        fault = None if sight.straight else _sight_fault(level) or fault
    if fault is not None:
        yield fault
        if fault.code != "undecided":
            return
    elif sight is not None and sight.straight:
        offset, doubt = sight.offset, 2 * sight.error
        if offset.min() < FIRST - doubt or offset.max() > LAST + doubt:
            words = f"its cells look {_away(offset)} of their points. Look for a roll, a padding or a crop on the way."
            yield _finding(level, "off_by_one_cell", words, offset=tuple(offset.tolist()))
    fault = _boxes_fault(level, step) or outputs_fault(level, step) or _offset_fault(level)
    if fault is not None:
        yield fault


def as_reversal(head: Head, findings: Sequence[Finding]) -> list[Finding]:
    """Wrong strides that are the declared ones in the opposite order are one fault."""
    wrong = {f.level: f.evidence["measured_stride"] for f in findings if f.code == "wrong_stride"}
    declared = [level.stride for level in head.levels]
    measured = [cast(float, wrong.get(i, stride)) for i, stride in enumerate(declared)]
    if not wrong or not np.allclose(measured, declared[::-1], rtol=0.15):
        return list(findings)
    evidence = {"declared": tuple(declared), "measured": tuple(measured)}
    words = f"The levels work with strides {measured}, declared are {declared}: turn the order of the outputs around."
    rest = [finding for finding in findings if finding.code != "wrong_stride"]
    return [
        Finding(
            code="levels_reversed",
            severity="error",
            level=None,
            message=words,
            evidence=evidence,
            consequences=("wrong_stride",),
        ),
        *rest,
    ]


def _finding(level: GridLevel, code: str, message: str, severity: str = "error", **more: Any) -> Finding:
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


def _away(offset: np.ndarray) -> str:
    return f"{offset[0]:+.2f} cells to the right and {offset[1]:+.2f} down"


def _motion_fault(level: GridLevel, step: int) -> Finding | None:
    """The cells moved otherwise than declared: not at all as a whole, along the other axis, or by another number."""
    x, y = level.right, level.down
    if _lost(level, level.agreement, level.signal):
        words = "what a patch changes moves nowhere with it. Check reshapes and indices."
        return _finding(level, "scrambled_layout", words)
    if all(move.declared is not None and move.declared > move.agreement - MARGIN for move in (x, y)):
        return None
    if level.agreement < CLEAR:
        if level.signal < SEEN or max(x.declared or 0, y.declared or 0) > 0.3 or min(level.cells) < FEWEST:
            words = "its answer to a moving patch is too faint or too wide to judge."
            return _finding(level, "undecided", words, "warning")
        return _finding(level, "scrambled_layout", "what a patch changes does not move with it. Check reshapes.")
    slope = np.array([[x.cols, x.rows], [y.cols, y.rows]]) * level.stride / step
    if _shrunk(slope):
        return _finding(level, "scrambled_layout", f"its cells moved {_fewer(x, y, step)}")
    moved = f"for {step} px to the right its cells moved {x.rows} rows and {x.cols} columns"
    return _slope_fault(level, slope, moved, 0.01) or _finding(
        level, "scrambled_layout", f"{moved}, for as many px down {y.rows} and {y.cols}. Check reshapes."
    )


def _lost(level: GridLevel, agreement: float, signal: float) -> bool:
    """Whether a strong answer on a grid that is large enough moves nowhere as a whole."""
    return agreement < LOST and signal >= STRONG and min(level.cells) >= FEWEST


def _torn_fault(level: GridLevel) -> Finding | None:
    """Some rows or columns of its cells moved as declared, and all others did not."""
    share = max(level.right.torn, level.down.torn)
    if level.signal < SEEN or not share:
        return None
    words = f"{share:.0%} of its answer lies in rows or columns that do not move with the others. Check reshapes."
    return _finding(level, "scrambled_layout", words, torn=share)


def _steady_sight(level: GridLevel, most: float) -> Sight | None:
    """Where the cells look, if they scatter by no more than ``most`` cells."""
    return level.sight if level.sight is not None and level.sight.scatter <= most else None


def _sight_fault(level: GridLevel) -> Finding | None:
    """The same, asked of the cells' gradients."""
    sight = _steady_sight(level, SHARP)
    if sight is None or abs(np.linalg.det(sight.slope)) < 0.1:
        return None
    seen = sight.slope
    words = f"cells one column apart look {np.round(seen[0] * level.stride, 1).tolist()} px apart"
    return _slope_fault(level, np.linalg.inv(seen), words, STRAIGHT) or _finding(
        level, "scrambled_layout", f"{words}. Check reshapes."
    )


def _shrunk(slope: np.ndarray) -> bool:
    """Whether cells move by fewer cells than declared both ways: on a grid of the declared size no stride does that."""
    along, across = np.diag(slope), np.diag(slope[:, ::-1])
    return bool(along.min() > 0 and along.max() < 0.9 and np.abs(across).max() < 0.01)


def _fewer(x: Motion, y: Motion, step: int) -> str:
    return (
        f"{x.cols} columns for {step} px to the right and {y.rows} rows for as many down, fewer than on a grid of this "
        "size: cells and channels are mixed. Check reshapes."
    )


def _slope_fault(level: GridLevel, slope: np.ndarray, words: str, least: float) -> Finding | None:
    """A known fault of axes or stride by how cells move (columns x, y; 1 as declared) for a move along x, y (rows)."""
    along, across = np.diag(slope), np.diag(slope[:, ::-1])
    if np.abs(across).min() > np.abs(along).max():
        return _finding(level, "axes_swapped", f"{words}. Rows and columns change places; transpose the output.")
    if np.abs(across).max() > least:
        return None
    if along.min() < 0:
        which = " and ".join(name for name, way in zip(("columns", "rows"), along, strict=True) if way < 0)
        return _finding(level, "scrambled_layout", f"{words}. Its {which} run the wrong way; flip the output.")
    if abs(along[0] - along[1]) <= least * along.max() and along.min() > 0:
        stride = level.stride / along.mean()
        words = f"{words}: stride {stride:.3g}, not {level.stride:g}."
        return _finding(level, "wrong_stride", words, measured_stride=float(stride))
    return None


def _boxes_fault(level: GridLevel, step: int) -> Finding | None:
    """The cells are right; are the boxes decoded from them?"""
    mistake = level.aim.mistake
    if mistake is not None:
        words = f"its boxes lie exactly about points {mistake.words}. Look at how the decoder builds its grid."
        return _finding(level, mistake.code, words)
    moves = np.stack((level.boxes_right, level.boxes_down)) / step  # identity where all is well
    words = f"for {step} px to the right its boxes moved {np.round(level.boxes_right, 1).tolist()} px"
    told = level.aim.scatter < SCATTER
    if told:
        moves = level.aim.slope
        words = f"over {step} px of cells to the right its boxes move {np.round(step * moves[0], 1).tolist()} px"
    elif level.agreement < CLEAR or level.signal < SEEN:
        return None
    least = 0.3 if level.aim.offset is None else EXACTLY if level.aim.scatter < EXACT else ASTRAY
    if not np.isfinite(moves).all() or np.abs(moves - np.eye(2)).max() < least:
        return None
    if np.abs(np.diag(moves)).max() < 0.3 and min(moves[0, 1], moves[1, 0]) > 0.3:
        return _finding(level, "axes_swapped", f"{words}. The decoder takes rows for columns.")
    scale = float(np.diag(moves).mean())
    if np.abs(moves - scale * np.eye(2)).max() < 0.15 * scale:
        stride = level.stride * scale
        return _finding(level, "wrong_stride", f"{words}: decoded with stride {stride:.3g}.", measured_stride=stride)
    if level.agreement > 0.9 or told:
        return _finding(level, "scrambled_layout", f"{words}. The decoder does not place boxes at their cells.")
    return None


def outputs_fault(level: GridLevel, step: int) -> Finding | None:
    """The classes are right; do the box outputs lie in the same cells?"""
    found = level.box_outputs
    if found is None or level.agreement < CLEAR or min(level.signal, found.signal) < SEEN:
        return None
    moves = (found.right, found.down)
    evidence: dict[str, Any] = {"box_outputs_moved": tuple((move.rows, move.cols) for move in moves)}
    if _lost(level, found.agreement, found.signal):
        words = "what a patch changes in its box outputs moves nowhere with it, as its classes do. Check reshapes."
        return _finding(level, "scrambled_layout", words, **evidence)
    torn = max(move.torn for move in moves)
    if torn:
        words = f"{torn:.0%} of the answer of its box outputs lies in rows or columns that do not move with the others."
        return _finding(level, "scrambled_layout", f"{words} Check reshapes.", **evidence)
    if all(move.declared is not None and move.declared > move.agreement - MARGIN for move in moves):
        return _beside_fault(level)
    if found.agreement < CLEAR:
        if max(found.right.declared or 0, found.down.declared or 0) > 0.3 or min(level.cells) < FEWEST:
            return None
        words = "what a patch changes in its box outputs does not move with it, as its classes do. Check reshapes."
        return _finding(level, "scrambled_layout", words, **evidence)
    slope = np.array([[move.cols, move.rows] for move in moves]) * level.stride / step
    if _shrunk(slope):
        return _finding(level, "scrambled_layout", f"its box outputs moved {_fewer(*moves, step)}", **evidence)
    words = f"for {step} px to the right its box outputs moved {moves[0].rows} rows and {moves[0].cols} columns"
    return _slope_fault(level, slope, words, 0.01) or _finding(
        level, "scrambled_layout", f"{words}, its classes as declared. Check reshapes.", **evidence
    )


def _beside_fault(level: GridLevel) -> Finding | None:
    """Box outputs that lie a whole cell beside the classes."""
    beside = None if level.box_outputs is None else level.box_outputs.beside
    if beside is None or np.abs(beside).max() < WHOLE:
        return None
    words = (
        f"its cells look {_away(-beside)} of where its boxes answer. Look for a roll, a padding or a crop of either."
    )
    return _finding(level, "off_by_one_cell", words, beside=tuple(beside.tolist()))


def with_labels(levels: Sequence[GridLevel], findings: Sequence[Finding]) -> list[Finding]:
    """The findings, and one of labels, where boxes lie off them and every measure of the detector itself is clean."""
    if findings:
        return list(findings)
    away = {level.index: _off_labels(level) for level in levels}
    known = {index: offset for index, offset in away.items() if offset is not None}
    if not known:
        return []
    strides = {level.index: level.stride for level in levels}
    px = np.median([offset * strides[index] for index, offset in known.items()], 0)
    words = (
        f"Boxes lie {px[0]:+.1f} px to the right and {px[1]:+.1f} px below of the labelled objects, while the "
        "detector's own measures are clean: its cells look at their points, and boxes are measured from these. Look at "
        "the labels, those given here or those of its training."
    )
    evidence = {f"offset, level {index}": tuple(offset.tolist()) for index, offset in known.items()}
    return [
        Finding(
            code="shifted",
            severity="warning",
            level=None,
            message=words,
            evidence={**evidence, "px": tuple(px.tolist())},
        )
    ]


def _off_labels(level: GridLevel) -> np.ndarray | None:
    """(2,) xy in cells, where a level's boxes lie clearly off labelled objects."""
    objects = level.objects
    if objects is None or not objects.sure or np.abs(objects.offset).max() < HALF:
        return None
    return objects.offset


def _offset_fault(level: GridLevel) -> Finding | None:
    """The boxes follow their cells; do they lie beside them? The decoder tells, and labelled objects know better."""
    point, objects = level.aim.offset, level.objects
    known = objects if objects is not None and objects.sure else None
    evidence: dict[str, Any] = {"decoder_offset": None if point is None else tuple(point.tolist())}
    clean = point is not None and np.abs(point).max() < CLEAN
    if known is not None and not clean and np.abs(known.offset).max() >= HALF:
        words = f"boxes lie {_away(known.offset)} of {len(known.each)} labelled objects"
        evidence |= {"spread": tuple(known.spread.tolist()), "objects": len(known.each)}
        return _offset_finding(level, known.offset, f"{words}. Check the grid offset of the decoder.", **evidence)
    if point is None or np.abs(point).max() < HALF:
        return None
    words = f"boxes are measured from a point {_away(point)} of the points of their cells"
    if known is not None:
        words = (
            f"{words}, and yet lie on the labelled objects: the detector was trained so. Declare it where you encode."
        )
        return _offset_finding(level, point, words, "warning", **evidence)
    return _offset_finding(level, point, f"{words}. Check the grid offset of the decoder.", **evidence)


def _offset_finding(level: GridLevel, offset: np.ndarray, words: str, severity: str = "error", **more: Any) -> Finding:
    code = "half_cell_offset" if np.abs(offset).max() < WHOLE else "off_by_one_cell"
    return _finding(level, code, words, severity, offset=tuple(offset.tolist()), **more)
