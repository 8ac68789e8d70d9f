"""What the readings of a grid say against what the head declares."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from anatomy import Head, Pass

from ..findings import Finding
from .boxes_verdict import HALF, boxes_fault, offset_fault, outputs_fault
from .cells_verdict import motion_fault, sight_fault, steady_sight, torn_fault
from .probe import CLEAR, GridLevel
from .slopes import away, finding

STEADY = 0.8  # cells: of a wider scatter of sights nothing is concluded
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
    """What one level's reading says against its declaration: its cells, its decoder, and its box outputs.

    A decoder whose points its own curves tell is judged whatever its cells do; what else boxes say needs right cells.
    """
    cells = list(_cells(level, step))
    yield from cells
    decoder = boxes_fault(level, step)
    if any(fault.code != "undecided" and fault.code != "off_by_one_cell" for fault in cells):
        if level.aim.exact:
            alone = decoder or offset_fault(replace(level, objects=None))
            yield from () if alone is None else (alone,)
        return
    placed = None if decoder is not None and not level.aim.exact else outputs_fault(level, step)
    if decoder is None and (placed is None or level.aim.exact):
        decoder = offset_fault(level if placed is None else replace(level, objects=None))
    yield from (fault for fault in (decoder, placed) if fault is not None)


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
    if fault is not None:
        yield fault
    elif sight is not None and sight.straight:
        offset, doubt = sight.offset, 2 * sight.error
        if offset.min() < FIRST - doubt or offset.max() > LAST + doubt:
            words = f"its cells look {away(offset)} of their points. Look for a roll, a padding or a crop on the way."
            yield finding(level, "off_by_one_cell", words, offset=tuple(offset.tolist()))


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
