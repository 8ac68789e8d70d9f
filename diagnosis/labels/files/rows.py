"""What is wrong with label files, row by row, told once a code."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ...findings import Finding
from ...objects.reading import ImageLabels, LabelledSet, Problem
from ...objects.reading.label_paths import orphans
from ...objects.reading.rows import TOLERANCE
from ..words import counted
from .severity import FAULTS, Fault

NAMED = 100  # files that evidence names
SHOWN = 3  # places that a message names
KEPT = 1000  # problems of a code that are kept one by one
MOST = 0.5  # share of empty files above which they are told
VERBS = {
    "are": "is",
    "belong": "belongs",
    "cannot": "cannot",
    "have": "has",
    "hold": "holds",
    "lack": "lacks",
    "leave": "leaves",
    "lie": "lies",
    "name": "names",
    "stand": "stands",
}
NOUNS = {
    "annotations": "annotation",
    "boxes": "box",
    "files": "file",
    "folders": "folder",
    "ids": "id",
    "images": "image",
    "lines": "line",
    "rows": "row",
}
ONE = {**VERBS, **NOUNS}
"""What faults are told in, of many and of one."""
FEW = 0.02  # share of files that may hold polygons, or boxes, among others and not be meant


@dataclass
class Seen:
    """Problems of one code so far: how many, in which files, and the first of them."""

    count: int = 0
    files: dict[Path, None] = field(default_factory=dict)
    first: list[Problem] = field(default_factory=list)

    def add(self, problem: Problem) -> None:
        """Count one more."""
        self.count += 1
        self.files.setdefault(problem.path)
        if len(self.first) < KEPT:
            self.first.append(problem)


@dataclass
class FileTally:
    """All label files of a set, counted in one pass; memory grows with the files that have problems, not with rows.

    ``images``, ``objects``; ``boxes`` and ``polygons``: files that hold boxes alone, polygons alone.
    """

    images: int = 0
    objects: int = 0
    boxes: list[Path] = field(default_factory=list)
    polygons: list[Path] = field(default_factory=list)
    seen: dict[str, Seen] = field(default_factory=dict)

    def add(self, labels: ImageLabels) -> None:
        """Count the labels of one image."""
        self.images += 1
        self.objects += len(labels)
        self.add_problems(labels.problems)
        outlined = sum(map(bool, labels.segments))
        if labels.path is not None and len(labels) and outlined in (0, len(labels)):
            (self.polygons if outlined else self.boxes).append(labels.path)

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Count problems that belong to no image of the set."""
        for problem in problems:
            key = "barely_outside" if problem.code == "outside" and _is_barely(problem) else problem.code
            self.seen.setdefault(key, Seen()).add(problem)

    def findings(self) -> list[Finding]:
        """One finding a code: how many, in how many files, the first places, the mend."""
        found = [_finding(FAULTS[key], seen, self.images) for key, seen in self.seen.items() if key != "empty_file"]
        empty = self.seen.get("empty_file", Seen())
        if empty.count > MOST * self.images:
            found.append(_finding(FAULTS["empty_file"], empty, self.images))
        return [*found, *self._mixed()]

    def rows(self, split: str) -> Iterator[dict[str, Any]]:
        """Rows of the table of problems, at most a thousand a code."""
        for seen in self.seen.values():
            for problem in seen.first:
                yield {
                    "split": split,
                    "path": str(problem.path),
                    "line": problem.line,
                    "code": problem.code,
                    "message": problem.message,
                }

    def _mixed(self) -> Iterator[Finding]:
        """Told where few files hold one kind, and all others the other."""
        fewer, others = sorted((self.boxes, self.polygons), key=len)
        if fewer and len(fewer) <= max(1, FEW * len(others)) and len(others) > 1:
            kind, other = ("polygons", "boxes") if fewer is self.polygons else ("boxes", "polygons")
            yield Finding(
                code="polygons_among_boxes",
                severity="warning",
                level=None,
                message=(
                    f"{len(fewer)} files hold {kind}, {len(others)} hold {other}: {_places(fewer)}. A training of "
                    f"masks then drops all of them. Make them {other} as well."
                ),
                evidence={"count": len(fewer), "share": len(fewer) / (len(fewer) + len(others)), **files_of(fewer)},
            )


def tally_files(labels: LabelledSet, progress: bool = True) -> FileTally:
    """Read every label file of a set once, and count what is wrong with them."""
    tally = FileTally()
    tally.add_problems(labels.listing.problems)
    for entry in tqdm(labels, desc="reading labels", unit="file", disable=not progress):
        tally.add(entry)
    left = orphans(labels.listing.paths, labels.listing.folders)
    tally.add_problems(Problem(Path(path), None, "orphan", "no image belongs to it.") for path in left)
    return tally


def files_of(paths: Sequence[Path]) -> dict[str, Any]:
    """Evidence about files: at most a hundred by name, and how many."""
    return {"files": tuple(map(str, paths[:NAMED])), "file_count": len(paths)}


def _finding(fault: Fault, seen: Seen, images: int) -> Finding:
    files, share = list(seen.files), min(1.0, len(seen.files) / max(1, images))
    places = [problem.path if problem.line is None else f"{problem.path}:{problem.line}" for problem in seen.first]
    where = f" in {counted(len(files), 'files')}" if seen.first[0].line is not None else ""
    example = f", {seen.first[0].message.rstrip('.')}" if where else ""
    return Finding(
        code=fault.code,
        severity=fault.severity,
        level=None,
        message=f"{_what(fault, seen.count)}{where}: {_places(places)}{example}. {fault.mend}",
        evidence={"count": seen.count, "share": share, **files_of(files), "first": tuple(map(str, places[:SHOWN]))},
    )


def _what(fault: Fault, count: int) -> str:
    """What was found, of one in the singular."""
    words = fault.what.split()
    if count == 1:
        verb = next(place for place, word in enumerate(words) if word in VERBS)
        words[: verb + 1] = [ONE.get(word, word) for word in words[: verb + 1]]
    return f"{count} {' '.join(words)}"


def _places(places: Sequence[Path | str]) -> str:
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return ", ".join(map(str, places[:SHOWN])) + more


def _is_barely(problem: Problem) -> bool:
    """Whether Ultralytics lets pass how far coordinates lie out of [0, 1]; those of a COCO JSON it clips."""
    if problem.path.suffix == ".json":
        return True
    numbers = problem.values[1:]
    return bool(numbers) and max(-min(numbers), max(numbers) - 1) <= TOLERANCE + 1e-9
