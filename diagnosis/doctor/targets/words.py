"""What an encoder does, in words: cells, levels and the four box channels, once where the levels agree."""

import numpy as np

from ..layout import TargetLayout
from .examination import Examination
from .reading import Reading
from .saying import channels, names, told


def description(exam: Examination, readings: dict[int, Reading]) -> str:
    """A line for all levels that do alike, in terms of the level's own stride; a line each where they differ."""
    lines: dict[str, list[int]] = {}
    for level in sorted(exam.used):
        lines.setdefault(_level(exam, readings.get(level), level), []).append(level)
    if len(lines) == 1:
        return f"all levels: {next(iter(lines))}"
    return "\n".join(f"level {', '.join(map(str, levels))}: {line}" for line, levels in lines.items())


def _level(exam: Examination, reading: Reading | None, level: int) -> str:
    stride = exam.layout.strides[level]
    said = [_cells(exam, level)]
    found = exam.maps.get(level)
    if found is not None and found.fit >= 0.7:
        said += list(found.codes(stride).values())
    if reading is not None:
        said += _channels(exam.layout, reading, stride)
    return "; ".join(said)


def _cells(exam: Examination, level: int) -> str:
    """How many cells an object fills, and how they lie."""
    counts, inner = [], []
    for answer, seen in zip(exam.answers, exam.seen, strict=True):
        if seen is None or answer.probe.kind != "place" or not len(seen[level]):
            continue
        one, stride = seen[level], exam.layout.strides[level]
        counts.append(len(set(zip(one.rows.tolist(), one.columns.tolist(), strict=True))))
        x1, y1, x2, y2 = answer.probe.boxes[0]
        x, y = (one.columns + exam.layout.grid_offset) * stride, (one.rows + exam.layout.grid_offset) * stride
        inner.append(((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)).mean())
    if not counts:
        return "no object has a cell"
    least, most = min(counts), max(counts)
    if most == 1:
        return "an object fills one cell"
    if least == most:
        return f"an object fills {most} cells"
    where = ", all with their point in the box" if np.mean(inner) > 0.99 else " around its centre"
    return f"an object fills {least} to {most} cells{where}"


def _channels(layout: TargetLayout, reading: Reading, stride: float) -> list[str]:
    said = channels(names(layout), reading.terms, stride)
    if reading.view:
        said.append(f"after boxes went through: {reading.view}")
    if reading.motion is not None:
        said.append(f"after boxes moved: {reading.motion}")
    return said


def runner_up(exam: Examination, readings: dict[int, Reading]) -> str:
    """What else would explain the box channels nearly as simply, a line a level; empty where nothing comes close."""
    lines: dict[str, list[int]] = {}
    for level, reading in sorted(readings.items()):
        pairs = zip(reading.runner_up, reading.terms, strict=True) if reading.runner_up else ()
        other = [None if term == chosen else term for term, chosen in pairs]
        if any(term is not None for term in other):
            said = "; ".join(told(names(exam.layout), other, exam.layout.strides[level]))
            lines.setdefault(said, []).append(level)
    return "\n".join(f"level {', '.join(map(str, levels))}: {line}" for line, levels in lines.items())


def unexplained(readings: dict[int, Reading]) -> float | None:
    """The share of the cells read whose box channels nothing explains."""
    shares = [0.0 if None in reading.terms else reading.share for reading in readings.values()]
    return None if not shares else round(1 - float(np.mean(shares)), 4)
