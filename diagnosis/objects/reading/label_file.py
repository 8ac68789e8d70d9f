"""A label file of Ultralytics: a line an object, class id first, then a box (and keypoints), a polygon or corners."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from .problems import Problem
from .rows import Judged, Row, judge

BOX = 5  # columns of a box: class id, centre, size
POLYGON = 7  # the fewest columns of a polygon: class id and three points

Keypoints = tuple[int, int] | None  # how many, and numbers of each


def read_label_file(path: Path, names: Mapping[int, str], keypoints: Keypoints = None) -> Judged:
    """The rows of a label file, and all that is wrong with it; an unreadable one has none, and says why."""
    if path.is_dir():
        return Judged((), (Problem(path, None, "folder", "a folder stands where a label file belongs; remove it."),))
    try:
        data = path.read_bytes()
    except OSError as error:
        return Judged((), (Problem(path, None, "unreadable", f"it cannot be opened: {error.strerror}."),))
    text, problems = _decode(path, data)
    if not text.strip():
        return Judged((), (*problems, Problem(path, None, "empty_file", "no line: an image without objects.", True)))
    rows = list(parse_rows(path, text, keypoints, problems))
    problems += _mixed(path, rows, keypoints)
    return judge(rows, path, names, problems)


def _decode(path: Path, data: bytes) -> tuple[str, list[Problem]]:
    """The text, with a mark for each byte that is none."""
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte {error.start} is no UTF-8: Ultralytics rejects the whole image; lines without such are read."
        return data.decode("utf-8-sig", errors="replace"), [Problem(path, line, "undecodable", message, True)]


def parse_rows(path: Path, text: str, keypoints: Keypoints, problems: list[Problem]) -> Iterator[Row]:
    """A row for each line of numbers in one of the known forms; other lines are told."""
    pose = BOX + keypoints[0] * keypoints[1] if keypoints else BOX
    for line, content in enumerate(text.splitlines(), 1):
        words = content.split()
        if not words:
            continue
        values = _numbers(words)
        if isinstance(values, str):
            message = f"{values[:20]!r} is no number; the row is left out.{_slip(values)}"
            problems.append(Problem(path, line, "not_a_number", message))
        elif len(values) in (BOX, pose):
            if len(values) != pose:
                message = f"{BOX} columns, but with keypoints there are {pose}; its box is kept."
                problems.append(Problem(path, line, "wrong_columns", message, kept=True, values=values))
            points = np.array(values[BOX:]).reshape(keypoints) if keypoints and len(values) == pose else None
            yield Row(line, values[0], values[1:BOX], values, keypoints=points)
        elif len(values) >= POLYGON and len(values) % 2:
            yield _polygon(line, values)
        else:
            problems.append(Problem(path, line, "wrong_columns", _columns(len(values), pose), values=values))


def _numbers(words: list[str]) -> tuple[float, ...] | str:
    """The numbers that the words are, or the first word that is none."""
    try:
        return tuple(map(float, words))
    except ValueError:
        return next(word for word in words if not _is_number(word))


def _slip(word: str) -> str:
    """What a word that is no number is likely to be."""
    if ";" in word:
        return " Semicolons stand where spaces belong."
    if word.count(",") == 1 and _is_number(word.replace(",", ".")):
        return " This is a decimal comma, where a point belongs."
    return " Commas stand where spaces belong." if "," in word else ""


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _polygon(line: int, values: tuple[float, ...]) -> Row:
    """A polygon, or the four corners of a rotated box, with the upright box around it."""
    points = np.array(values[1:]).reshape(-1, 2)
    low, high = points.min(0), points.max(0)
    with np.errstate(invalid="ignore"):  # infinity is told of later
        box = (*((low + high) / 2).tolist(), *(high - low).tolist())
    return Row(line, values[0], box, values, (points,))


def _columns(count: int, pose: int) -> str:
    """What is said of a line with a number of columns that means nothing."""
    due = f"{BOX} columns, {pose} with keypoints," if pose != BOX else f"{BOX} columns"
    hint = ""
    if count == BOX + 1:
        hint = " A box with its confidence is a prediction, not a label."
    elif count > POLYGON and pose == BOX:
        hint = " Keypoints are read where a data YAML has their kpt_shape."
    return f"a box has {due} and a polygon class and pairs, but this has {count}; the row is left out.{hint}"


def _mixed(path: Path, rows: list[Row], keypoints: Keypoints) -> list[Problem]:
    """Told once: boxes and polygons stand in one file."""
    odd = [row for row in rows if bool(row.polygons) != bool(rows[0].polygons)]
    if keypoints and not odd:
        odd = [row for row in rows if row.polygons]
    if not odd:
        return []
    message = "boxes and polygons in one file: Ultralytics rejects the whole image; all are kept here."
    return [Problem(path, odd[0].line, "mixed_rows", message, kept=True)]
