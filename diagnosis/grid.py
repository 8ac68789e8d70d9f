"""Does every level of a detector lie on the image as its head declares? Asked of the running detector itself."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

import anatomy
from anatomy import Trace

from .grid_offset import check_offsets
from .motion import Motion, measure_motion, texture
from .report import Finding, Report

GREY = 114  # what letterboxes are filled with
CLEAR = 0.75  # an agreement at least so high is a measurement
MARGIN = 0.25  # by which another displacement must agree better than the declared one
SEEN = 1e-4  # a smaller answer, as a share of the largest logit, may be rounding
SCATTER = 0.15  # cells: boxes that follow their cells so closely tell the decoder's grid
ROUNDS = 3  # patches tried before a level counts as undecided


@dataclass(frozen=True)
class _Reading:
    """One level: how its cells moved for the patch's move along x and y, how its boxes did, and how strongly it saw."""

    x: Motion
    y: Motion
    box_x: np.ndarray  # (2,) px of the network input
    box_y: np.ndarray
    slope: np.ndarray  # (2, 2) px that boxes lie farther on for a px that their cells do, on plain grey
    scatter: float  # cells, around that slope
    signal: float

    @property
    def clear(self) -> bool:
        return min(self.x.agreement, self.y.agreement) >= CLEAR


def check_grid(model, data: Iterable | None = None, *, step: int = 128, seed: int = 0, **predict_args) -> Report:
    """Check stride, axes, order and (with labels) offset of every level against what the head declares.

    A patch on grey is moved by ``step`` px (a multiple of every stride) along x, then along y: every level's change
    must move step / stride cells along the columns, then the rows, and its boxes ``step`` px. ``data``: labelled images
    (image, boxes (n, 4) xyxy px, labels); with some on a trained detector, the offset of decoded boxes is measured.
    Findings: ``axes_swapped``, ``wrong_stride``, ``levels_reversed``, ``scrambled_layout``, ``half_cell_offset``,
    ``off_by_one_cell``; ``undecided`` (a warning) where a level answers too weakly, as random weights do.
    """
    head = anatomy.describe(model)
    strides = np.array([level.stride for level in head.levels])
    if step <= 0 or (step % strides).any():
        raise ValueError(f"step must be a multiple of every stride {strides.tolist()} px, but {step!r} was given.")
    args = {"conf": 0.9, **predict_args}
    readings: list[_Reading | None] = [None] * len(strides)
    probes = 0
    for turn in range(ROUNDS):
        open_levels = [i for i, reading in enumerate(readings) if reading is None or not _settled(reading)]
        if not open_levels:
            break
        traces = _probe(model, step, seed + turn, args)
        probes += len(traces)
        if turn == 0:
            misfits = _check_shapes(traces[0])
        for i in open_levels:
            reading = None if misfits else _read(traces, i, step)
            if reading and (readings[i] is None or _worth(reading) > _worth(readings[i])):
                readings[i] = reading
        if misfits:
            break
    findings = misfits or [finding for i, reading in enumerate(readings) for finding in _judge(head, i, reading, step)]
    findings = _as_reversal(head, findings)
    if data is not None:
        more, passes = check_offsets(model, data, predict_args)
        findings, probes = [*findings, *more], probes + passes
    return Report(f"grid of {type(head.net).__name__}", tuple(findings), probes)


def _probe(model, step: int, seed: int, args) -> list[Trace]:
    """Passes of a grey image, with a patch, with it moved along x, and along y."""
    shape = (4 * step, 5 * step, 3)
    patch = texture(step, seed)
    grey = np.full(shape, GREY, np.uint8)
    images = [grey]
    for x, y in ((3, 2), (5, 2), (3, 4)):
        image = grey.copy()
        image[y * step // 2 : y * step // 2 + step, x * step // 2 : x * step // 2 + step] = patch
        images.append(image)
    return [anatomy.trace(model, image, imgsz=max(shape), **args) for image in images]


def _check_shapes(trace: Trace) -> list[Finding]:
    """Grids whose size is not that of the input over the declared stride."""
    findings, (height, width) = [], trace.input_shape
    for level, (rows, cols) in zip(trace.levels, trace.shapes, strict=True):
        expected = (round(height / level.stride), round(width / level.stride))
        if (rows, cols) == expected:
            continue
        evidence = {"grid": (rows, cols), "expected": expected, "declared_stride": level.stride}
        if (cols, rows) == expected:
            message = (
                f"{level.name} has {rows} × {cols} cells where {expected[0]} × {expected[1]} are declared: transpose."
            )
            findings.append(Finding("axes_swapped", "error", level.index, message, evidence))
        else:
            evidence["measured_stride"] = width / cols
            message = (
                f"{level.name} declares stride {level.stride:g}, has {rows} × {cols} cells on {height} × {width} px; "
                f"its stride is {width / cols:g}."
            )
            findings.append(Finding("wrong_stride", "error", level.index, message, evidence))
    return findings


def _read(traces: list[Trace], level: int, step: int) -> _Reading:
    grey, still, right, down = (trace.logits[level].double().cpu().numpy() for trace in traces)
    cells_moved = step / traces[0].levels[level].stride
    x = measure_motion(still - grey, right - grey, (0, cells_moved))
    y = measure_motion(still - grey, down - grey, (cells_moved, 0))
    change = np.abs(still - grey).max(0)
    slope, scatter = _box_slope(traces[0], level)
    return _Reading(
        x,
        y,
        _box_motion(traces[1], traces[2], level, x, change),
        _box_motion(traces[1], traces[3], level, y, change),
        slope,
        scatter,
        float(change.max() / max(np.abs(grey).max(), 1e-12)),
    )


def _box_motion(before: Trace, after: Trace, level: int, move: Motion, change: np.ndarray) -> np.ndarray:
    """The median move (2,) of box centres, px of the input, from the cells that changed to where these have moved."""
    rows, cols = before.shapes[level]
    row, col = (change >= 0.1 * change.max()).nonzero()
    stays = (row + move.rows >= 0) & (row + move.rows < rows) & (col + move.cols >= 0) & (col + move.cols < cols)
    row, col = row[stays], col[stays]
    if not len(row):
        return np.full(2, np.nan)
    start = sum(r * c for r, c in before.shapes[:level])
    boxes = before.decode(start + row * cols + col), after.decode(start + (row + move.rows) * cols + col + move.cols)
    centres = [(box[:, :2] + box[:, 2:]) / 2 for box in boxes]
    return np.nanmedian(centres[1] - centres[0], 0)


def _box_slope(trace: Trace, level: int) -> tuple[np.ndarray, float]:
    """How box centres follow their cells, a (2, 2) least-squares slope, and the scatter around it in cells."""
    start, stride = sum(r * c for r, c in trace.shapes[:level]), trace.levels[level].stride
    row, col = (places.ravel() for places in np.indices(trace.shapes[level]))
    boxes = trace.decode(start + np.arange(len(row)))
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    terms = np.stack((col * stride, row * stride, np.ones(len(row))), 1)
    if not np.isfinite(centre).all():
        return np.full((2, 2), np.nan), np.inf
    fitted = np.linalg.lstsq(terms, centre, rcond=None)[0]
    return fitted[:2], float(np.sqrt(np.mean((terms @ fitted - centre) ** 2)) / stride)


def _worth(reading: _Reading) -> float:
    return min(reading.x.agreement, reading.y.agreement)


def _settled(reading: _Reading) -> bool:
    return reading.clear or reading.signal < SEEN / 10


def _as_declared(move: Motion) -> bool:
    return move.declared is not None and move.declared > move.agreement - MARGIN


def _judge(head, index: int, reading: _Reading, step: int) -> list[Finding]:
    """What one level's reading says against its declaration."""
    level = head.levels[index]
    evidence = {
        "declared_stride": level.stride,
        "moved_for_x": (reading.x.rows, reading.x.cols),
        "moved_for_y": (reading.y.rows, reading.y.cols),
        "agreement": (round(reading.x.agreement, 3), round(reading.y.agreement, 3)),
        "boxes_for_x": tuple(np.round(reading.box_x, 1).tolist()),
        "boxes_for_y": tuple(np.round(reading.box_y, 1).tolist()),
        "signal": reading.signal,
    }

    def finding(code: str, message: str, severity: str = "error", **more) -> Finding:
        return Finding(code, severity, index, f"{level.name}: {message}", {**evidence, **more})

    if not _as_declared(reading.x) or not _as_declared(reading.y):
        if not reading.clear:
            if reading.signal < SEEN or max(reading.x.declared or 0, reading.y.declared or 0) > 0.3:
                return [
                    finding("undecided", "its answer to a moving patch is too faint or too wide to judge.", "warning")
                ]
            return [finding("scrambled_layout", "what a patch changes does not move with it. Check reshapes.")]
        return [_cells_fault(finding, reading, level, step)]
    return _boxes_fault(finding, reading, level, step)


def _cells_fault(finding, reading: _Reading, level, step: int) -> Finding:
    """The cells moved otherwise than declared: along the other axis, or by another number."""
    x, y = reading.x, reading.y
    along, across = (abs(x.cols), abs(y.rows)), (abs(x.rows), abs(y.cols))
    moved = f"for {step} px to the right its cells moved {x.rows} rows and {x.cols} columns"
    if min(across) > max(along):
        return finding("axes_swapped", f"{moved}. Rows and columns change places; transpose the output.")
    if max(across) == 0 and along[0] == along[1] > 0 and min(x.cols, y.rows) > 0:
        stride = step / along[0]
        return finding("wrong_stride", f"{moved}: stride {stride:g}, not {level.stride:g}.", measured_stride=stride)
    return finding("scrambled_layout", f"{moved}, for as many px down {y.rows} and {y.cols}. Check reshapes.")


def _boxes_fault(finding, reading: _Reading, level, step: int) -> list[Finding]:
    """The cells are right; are the boxes decoded from them?"""
    moves = np.stack((reading.box_x, reading.box_y)) / step  # identity where all is well
    words = f"for {step} px to the right its boxes moved {np.round(reading.box_x, 1).tolist()} px"
    if reading.scatter < SCATTER:
        moves = reading.slope
        words = f"over {step} px of cells to the right its boxes move {np.round(step * moves[0], 1).tolist()} px"
    elif not reading.clear or reading.signal < SEEN:
        return []
    if not np.isfinite(moves).all() or np.abs(moves - np.eye(2)).max() < 0.3:
        return []
    if np.abs(np.diag(moves)).max() < 0.3 and min(moves[0, 1], moves[1, 0]) > 0.3:
        return [finding("axes_swapped", f"{words}. The decoder takes rows for columns.")]
    scale = float(np.diag(moves).mean())
    if np.abs(moves - scale * np.eye(2)).max() < 0.15 * scale:
        stride = level.stride * scale
        return [finding("wrong_stride", f"{words}: decoded with stride {stride:.3g}.", measured_stride=stride)]
    if _worth(reading) > 0.9 or reading.scatter < SCATTER:
        return [finding("scrambled_layout", f"{words}. The decoder does not place boxes at their cells.")]
    return []


def _as_reversal(head, findings: list[Finding]) -> list[Finding]:
    """Wrong strides that are the declared ones in the opposite order are one fault."""
    wrong = {f.level: f.evidence["measured_stride"] for f in findings if f.code == "wrong_stride"}
    declared = [level.stride for level in head.levels]
    measured = [wrong.get(i, stride) for i, stride in enumerate(declared)]
    if not wrong or not np.allclose(measured, declared[::-1], rtol=0.15):
        return findings
    evidence = {"declared": tuple(declared), "measured": tuple(measured)}
    words = f"The levels work with strides {measured}, declared are {declared}: turn the order of the outputs around."
    rest = [finding for finding in findings if finding.code != "wrong_stride"]
    return [Finding("levels_reversed", "error", None, words, evidence, ("wrong_stride",)), *rest]
