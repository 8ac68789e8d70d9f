"""Rows of labels, judged one by one: what each is, what is wrong with it, and whether it stays."""

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .problems import Problem

TOLERANCE = 0.01  # how far out of [0, 1] Ultralytics lets a coordinate be
HIGHEST = 2**31  # class ids from here on are no ids, whatever the names


class Row(NamedTuple):
    """One object as it was written: class id, centre and size as shares, polygons; ``values``: all its numbers;
    ``keypoints`` (K, 2 or 3), None where there are none."""

    line: int
    class_id: float
    cxcywh: tuple[float, ...]
    values: tuple[float, ...]
    polygons: tuple[np.ndarray, ...] = ()
    crowd: bool = False
    keypoints: np.ndarray | None = None


class Fault(NamedTuple):
    """What is wrong with a row, by a key of ``PROBLEMS``; ``kept``: it stays all the same."""

    code: str
    message: str
    kept: bool = False


@dataclass(frozen=True)
class Judged:
    """The rows that stay, in their order, and all that is to be said."""

    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]

    def arrays(self) -> dict[str, Any]:
        """The fields of ``ImageLabels`` that hold the objects."""
        return {
            "class_id": np.array([row.class_id for row in self.rows], np.float64).astype(np.int64),
            "cxcywh": np.array([row.cxcywh for row in self.rows], np.float64).reshape(-1, 4),
            "crowd": np.array([row.crowd for row in self.rows], bool),
            "segments": tuple(row.polygons for row in self.rows),
            "lines": np.array([row.line for row in self.rows], np.int64),
            "keypoints": self._keypoints(),
        }

    def _keypoints(self) -> np.ndarray | None:
        """(n, K, 2 or 3) where every row has as many, else None."""
        points = [row.keypoints for row in self.rows if row.keypoints is not None]
        alike = len({entry.shape for entry in points}) == 1 and len(points) == len(self.rows)
        return np.stack(points) if alike else None


def judge(
    rows: Iterable[Row], path: Path, names: Mapping[int, str], known: Iterable[Problem] = (), word: str = "line"
) -> Judged:
    """Keep every row that is a usable box of a class, once, and tell of all else; ``known`` problems are told first.

    Rows are the same where Ultralytics takes them for the same: equal in float32, polygons and keypoints included.
    """
    kept: list[Row] = []
    problems = list(known)
    first: dict[bytes, int] = {}
    for row in rows:
        faults = list(_faults(row, names))
        if not faults or faults[-1].kept:
            twin = first.setdefault(_identity(row), row.line)
            if twin == row.line:
                kept.append(row)
            else:
                faults.append(Fault("duplicate_row", f"the same as {word} {twin}; it is kept once."))
        line = row.line if word == "line" else None
        problems += [Problem(path, line, *fault, values=row.values) for fault in faults]
    return Judged(tuple(kept), tuple(problems))


def _faults(row: Row, names: Mapping[int, str]) -> Iterator[Fault]:
    """What is wrong with a row; the last one decides whether it stays."""
    if not all(map(math.isfinite, row.values)):
        yield Fault("not_finite", "NaN or infinity is no coordinate; the row is left out.")
        return
    fault = _class_fault(row.class_id, names)
    if fault is None:
        fault = _box_fault(row.cxcywh)
    if fault is not None:
        yield fault


def _class_fault(class_id: float, names: Mapping[int, str]) -> Fault | None:
    if class_id < 0:
        return Fault("class_negative", f"class ids begin at 0, but this is {class_id:g}; the row is left out.")
    if class_id % 1:
        return Fault("class_not_whole", f"class ids are whole, but this is {class_id:g}; the row is left out.")
    if class_id >= HIGHEST or (names and int(class_id) not in names):
        known = f"the {len(names)} names end at {max(names)}" if names else "no class has such an id"
        return Fault("class_unknown", f"{known}, but this is {class_id:g}; the row is left out.")
    return None


def _box_fault(box: tuple[float, ...]) -> Fault | None:
    cx, cy, width, height = box
    told = f"centre {cx:g} {cy:g}, size {width:g} {height:g}"
    left, right, top, bottom = cx - width / 2, cx + width / 2, cy - height / 2, cy + height / 2
    if not (left < right and top < bottom):
        return Fault("empty_box", f"width and height must be above 0, but this is {told}; the row is left out.")
    beyond = max(-min(box), max(box) - 1)
    if beyond <= 0:
        return None
    if beyond <= TOLERANCE + 1e-9:
        return Fault(
            "outside", f"{told}, out of [0, 1] by {beyond:.2g}, which Ultralytics lets pass; it is kept.", True
        )
    if right <= 0 or left >= 1 or bottom <= 0 or top >= 1:
        return Fault(
            "off_image", f"{told}: no part of it lies in [0, 1]; are these px, or another image's? The row is left out."
        )
    return Fault("outside", f"{told}, out of [0, 1], for which Ultralytics rejects the whole image; it is kept.", True)


def _identity(row: Row) -> bytes:
    """Equal for rows that Ultralytics takes for the same."""
    return array("f", [number + 0.0 for number in (row.crowd, *row.values)]).tobytes()  # −0 is 0
