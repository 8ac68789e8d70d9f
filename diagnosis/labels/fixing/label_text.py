"""The text of one label file, mended line by line; what is not touched stays as it is, to the byte."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...objects.reading import Problem
from ...objects.reading.label_file import Keypoints, parse_rows
from ...objects.reading.rows import Row, judge
from ..reading import Reading
from .numbers import Values, cut_numbers, mended_numbers, words_of

MARK = "\ufeff"  # with which some editors begin a file
Lines = dict[int, str]
"""Lines by their number, from 1, each with its end."""


@dataclass(frozen=True)
class Correction:
    """What is done to the labels of one image.

    ``reading``: how its numbers are to be read, None as they are, and those of single classes ``by_class`` {id written:
    reading}; ``classes`` {id written: id meant}; ``drop``: codes
    of rows that are left out; ``cut``: boxes out of [0, 1] are cut; ``size`` (width, height) px of the image, which a
    reading needs.
    """

    reading: Reading | None = None
    by_class: Mapping[int, Reading] = field(default_factory=dict)
    classes: Mapping[int, int] = field(default_factory=dict)
    drop: frozenset[str] = frozenset()
    cut: bool = False
    size: tuple[int, int] | None = None

    @property
    def does(self) -> bool:
        """Whether it changes anything."""
        return bool(self.classes or self.drop or self.cut or self.moves)

    @property
    def moves(self) -> bool:
        """Whether any numbers are read otherwise than they are written."""
        return any(one is not None and one.departures for one in (self.reading, *self.by_class.values()))


@dataclass(frozen=True)
class LabelForm:
    """What the rows of a set are held against: its ``names``, and its ``keypoints`` where it has any."""

    names: Mapping[int, str]
    keypoints: Keypoints = None


@dataclass(frozen=True)
class MendedText:
    """A label file as it should be: its bytes; how many ``rows`` it had, got other numbers, got another class, were
    ``cut`` at the edges.

    ``dropped`` counts by code. Left out are also the lines ``lost``, which the reading puts off the image, and
    ``nameless``, whose class is one that there is not.
    """

    data: bytes
    rows: int
    moved: int = 0
    renamed: int = 0
    cut: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    lost: tuple[int, ...] = ()
    nameless: tuple[int, ...] = ()


def mend_text(data: bytes, path: Path, correction: Correction, form: LabelForm) -> MendedText:
    """The content ``data`` of the label file ``path``, mended."""
    if not correction.does:
        return MendedText(data, rows=sum(map(bool, map(bytes.strip, data.splitlines()))))
    text = data.decode("utf-8", errors="surrogateescape")  # what is no UTF-8 comes back as it was
    head = MARK if text.startswith(MARK) else ""
    lines: Lines = dict(enumerate(text[len(head) :].splitlines(keepends=True), 1))
    rows, _ = _parsed(lines, path, form)
    numbers = _numbers(rows, correction, form)
    cut = cut_numbers([row for row in rows if correction.cut and row.line not in numbers])
    lost = tuple(line for line, found in numbers.items() if not found)
    nameless = tuple(row.line for row in rows if _nameless(row, correction.classes, form.names))
    moved = renamed = 0
    for row in rows:
        if row.line in lost or row.line in nameless:
            lines.pop(row.line)
            continue
        words = lines[row.line].split()
        meant = words_of(words, row, numbers.get(row.line, cut.get(row.line, ())), correction.classes)
        moved += meant[1:] != words[1:] and row.line not in cut
        renamed += meant[0] != words[0]
        if meant != words:
            lines[row.line] = " ".join(meant) + _end(lines[row.line])
    dropped = _to_drop(lines, path, correction.drop, form)
    kept = "".join(content for line, content in lines.items() if line not in dropped)
    return MendedText(
        data=(head + kept).encode("utf-8", errors="surrogateescape"),
        rows=len(rows),
        moved=moved,
        renamed=renamed,
        cut=len(cut),
        dropped=Counter(dropped.values()),
        lost=lost,
        nameless=nameless,
    )


def _nameless(row: Row, classes: Mapping[int, int], names: Mapping[int, str]) -> bool:
    """Whether the class that is meant by that of a row is none of the set."""
    meant = classes.get(int(row.class_id)) if math.isfinite(row.class_id) else None
    return meant is not None and meant != row.class_id and (meant < 0 or (bool(names) and meant not in names))


def _parsed(lines: Lines, path: Path, form: LabelForm) -> tuple[list[Row], list[Problem]]:
    """The rows of the lines, and what is said of those that are none."""
    problems: list[Problem] = []
    whole = "".join(lines.get(number, "\n") for number in range(1, max(lines, default=0) + 1))
    return list(parse_rows(path, whole, form.keypoints, problems)), problems


def _numbers(rows: list[Row], correction: Correction, form: LabelForm) -> dict[int, Values]:
    if correction.size is None or not correction.moves:
        return {}
    by_reading: dict[Reading, list[Row]] = {}
    for row in rows:
        reading = correction.by_class.get(int(row.class_id), correction.reading) if row.class_id % 1 == 0 else None
        reading = correction.reading if reading is None else reading
        if reading is not None and reading.departures:
            by_reading.setdefault(reading, []).append(row)
    found: dict[int, Values] = {}
    for reading, listed in by_reading.items():
        found |= mended_numbers(listed, reading, correction.size, form.keypoints)
    return found


def _to_drop(lines: Lines, path: Path, codes: frozenset[str], form: LabelForm) -> dict[int, str]:
    """The lines that are no labels of these kinds, as they stand now, with the code of each."""
    if not codes:
        return {}
    rows, known = _parsed(lines, path, form)
    problems = judge(rows, path, form.names, known).problems
    return {problem.line: problem.code for problem in problems if _drops(problem, codes) and problem.line is not None}


def _drops(problem: Problem, codes: frozenset[str]) -> bool:
    return problem.code in codes and not problem.kept


def _end(line: str) -> str:
    """The end of a line, as it was written."""
    return line[len(line.splitlines()[0]) :] if line.splitlines() else line
