"""What the readings of a grid say against what the head declares."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import cast

import numpy as np

from anatomy import Head, Pass

from ..findings import Finding
from .boxes_verdict import HALF, WHOLE, boxes_fault, offset_fault, outputs_fault
from .cells_verdict import motion_fault, sight_fault, steady_sight, strewn_fault, torn_fault
from .probe import CLEAR, GridLevel
from .sight import Sight
from .slopes import away, finding

STEADY = 0.8  # cells: of a wider scatter of sights nothing is concluded
# Cells of correct detectors look up to 0.9 cells to the left of or above their middle and 0.6 to the right or below: a
# convolution of kernel 3, stride 2 and padding 1 looks half a pixel too far up and left, which training makes up for.
FIRST, LAST = -1.0, 0.75
# Where nothing is learned they look from half a cell up and left, as such convolutions do, to their very middle.
USUAL = -0.65, 0.15
EVEN = 0.15  # cells: a scatter of sights that all look the same part of a cell aside,
APART = 0.35  # and by how much they do at least


def check_shapes(head: Head, pass_: Pass) -> list[Finding]:
    """Grids whose size is not that of the input over the declared stride."""
    findings, (height, width) = [], pass_.input_shape
    for level, (rows, cols) in zip(head.levels, pass_.shapes, strict=True):
        expected = (round(height / level.stride), round(width / level.stride))
        if (rows, cols) == expected:
            continue
        evidence: dict[str, object] = {"grid": (rows, cols), "expected": expected, "declared_stride": level.stride}
        if (cols, rows) == expected:
            message = (
                f"{level.name} has {rows} × {cols} cells where {expected[0]} × {expected[1]} are declared: transpose."
            )
            findings.append(
                Finding(code="axes_swapped", severity="error", level=level.index, message=message, evidence=evidence)
            )
        else:
            evidence |= {"measured_stride": width / cols, "measured_down": height / rows}
            message = (
                f"{level.name} declares stride {level.stride:g}, has {rows} × {cols} cells on {height} × {width} px; "
                f"its stride is {width / cols:g}."
            )
            findings.append(
                Finding(code="wrong_stride", severity="error", level=level.index, message=message, evidence=evidence)
            )
    return findings


def as_measured(head: Head, misfits: Sequence[Finding], step: int) -> Head | None:
    """A head like this one that declares the strides that its grids have; None where these do not tell one each."""
    found = {one.level: one.evidence for one in misfits if one.code == "wrong_stride"}
    if not misfits or len(found) < len(misfits):
        return None
    strides = [cast(float, found.get(i, {}).get("measured_stride", one.stride)) for i, one in enumerate(head.levels)]
    along = [cast(float, found.get(i, {}).get("measured_down", one)) for i, one in enumerate(strides)]
    if not np.allclose(strides, along) or any(step % stride for stride in strides):
        return None
    fitted = copy(head)
    fitted.levels = tuple(replace(one, stride=stride) for one, stride in zip(head.levels, strides, strict=True))
    return fitted


def judge(level: GridLevel, step: int) -> list[Finding]:
    """What one level's reading says against its declaration."""
    cells, boxes = judge_apart(level, step)
    return [*cells, *boxes]


def judge_apart(level: GridLevel, step: int) -> tuple[list[Finding], list[Finding]]:
    """The same of its cells, and then of its decoder and its box outputs.

    A decoder whose points its own curves tell is judged whatever its cells do; what else boxes say needs right cells.
    """
    cells = list(_cells(level, step))
    decoder = boxes_fault(level, step)
    if any(fault.code not in ("undecided", "off_by_one_cell") for fault in cells):
        alone = (decoder or offset_fault(replace(level, objects=None))) if level.aim.exact else None
        return cells, [] if alone is None else [alone]
    placed = None if decoder is not None and not level.aim.exact else outputs_fault(level, step)
    if decoder is None and (placed is None or level.aim.exact):
        decoder = offset_fault(level if placed is None else replace(level, objects=None))
    return cells, [fault for fault in (decoder, placed) if fault is not None]


def _cells(level: GridLevel, step: int) -> Iterator[Finding]:
    """What its classes say."""
    torn = torn_fault(level)
    if torn is not None:
        yield torn
        return
    fault = motion_fault(level, step)
    sight = steady_sight(level, STEADY)
    if fault is not None and level.agreement < CLEAR and sight is not None:
        fault = None if sight.straight else sight_fault(level) or fault
    if fault is None or fault.code == "undecided":
        fault = strewn_fault(level) or fault
    if fault is not None:
        yield fault
    elif level.at is not None and np.abs(level.at).max() >= WHOLE:
        words = f"its cells look {away(-level.at)} of their places in its feature map. Look for a roll or a padding."
        yield finding(level, "off_by_one_cell", words, answers=tuple(level.at.tolist()))
    elif sight is not None and sight.straight:
        offset, doubt = _from_middle(level, sight), 2 * sight.error
        if offset.min() < FIRST - doubt or offset.max() > LAST + doubt:
            words = f"its cells look {away(offset)} of their middles. Look for a roll, a padding or a crop on the way."
            yield finding(level, "off_by_one_cell", words, offset=tuple(offset.tolist()))


def _from_middle(level: GridLevel, sight: Sight) -> np.ndarray:
    """(2,) xy in cells: how far from the middle of a cell it looks, wherever its declared point lies."""
    return sight.offset - (0.5 - level.offset)


def sights_apart(levels: Sequence[GridLevel], findings: Sequence[Finding]) -> list[Finding]:
    """Levels whose cells all look the same part of a cell aside, where those of the other levels look as usual.

    ``findings``: of cells; a level that has one is left out.
    """
    accused = {one.level for one in findings if one.severity == "error"}
    sharp = {level.index: steady_sight(level, EVEN) for level in levels}
    looks = {
        level.index: _from_middle(level, sight)
        for level in levels
        if (sight := sharp[level.index]) is not None and sight.straight and level.index not in accused
    }
    found = []
    for level in levels:
        usual = [offset for index, offset in looks.items() if index != level.index and _usual(offset)]
        if level.index not in looks or _usual(looks[level.index]) or not usual:
            continue
        apart = looks[level.index] - np.median(usual, 0)
        if np.abs(apart).max() < APART:
            continue
        code = "half_cell_offset" if np.abs(apart).max() < WHOLE else "off_by_one_cell"
        words = f"its cells look {away(apart)} of where those of other levels do. Look for a roll, a padding or a mean."
        found.append(finding(level, code, words, apart=tuple(apart.tolist())))
    return found


def _usual(offset: np.ndarray) -> bool:
    return bool(USUAL[0] <= offset.min() and offset.max() <= USUAL[1])


def as_reversal(head: Head, findings: Sequence[Finding]) -> list[Finding]:
    """Wrong strides that are the declared ones in the opposite order are one fault."""
    wrong = {f.level: f.evidence["measured_stride"] for f in findings if f.code == "wrong_stride"}
    declared = [level.stride for level in head.levels]
    measured = [cast(float, wrong.get(i, stride)) for i, stride in enumerate(declared)]
    if not wrong or not np.allclose(measured, declared[::-1], rtol=0.15):
        return list(findings)
    evidence = {"declared": tuple(declared), "measured": tuple(measured)}
    words = f"The levels work with strides {measured}, declared are {declared}: turn the order of the outputs around."
    rest = [one for one in findings if one.code != "wrong_stride"]
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


def with_labels(levels: Sequence[GridLevel], findings: Sequence[Finding]) -> list[Finding]:
    """The findings, and one of labels, where boxes lie off them and every measure of the detector itself is clean."""
    if findings:
        return list(findings)
    aside = {level.index: _off_labels(level) for level in levels}
    known = {index: offset for index, offset in aside.items() if offset is not None}
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
