"""The label doctor: systematic faults of a labelled set, by name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from anatomy.arguments import share, whole_number
from anatomy.families.registry import describe

from ..findings import Finding
from ..objects.reading import LabelledSet, Problem, read_labels
from ..objects.reading.data_yaml import splits_of
from .looking import NO_CLASS, counterparts, look, looked_at
from .material import Material
from .report import LabelReport, Mend
from .rows import Rows, gather, rows_of
from .seen import Seen, translated
from .tables import problem_rows, reading_rows
from .told import findings_of, mends_of
from .verdict import Verdict, judge
from .weighed import weighed

AT_ONCE = 2000  # files whose rows are gathered together


@dataclass(frozen=True)
class _Split:
    """One split as it was read: its labels, all rows, and what is wrong with the files."""

    name: str
    labels: LabelledSet
    rows: Rows
    problems: tuple[Problem, ...]


@dataclass
class _Gathered:
    """What the splits give to the report."""

    findings: list[Finding] = field(default_factory=list)
    mends: list[Mend] = field(default_factory=list)
    weighed: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    looked: dict[str, int] = field(default_factory=dict)
    images: int = 0


def check_labels(
    data: Any,
    model: Any = None,
    *,
    split: str | None = None,
    images: int | None = 1000,
    conf: float = 0.25,
    progress: bool = True,
    **predict_args: Any,
) -> LabelReport:
    """Name the systematic faults of a labelled set: of the files, of the boxes' geometry, of the class ids.

    ``data``: what ``read_labels`` takes. ``split``: one split of a data YAML; None: every one that it has, each judged
    by itself. ``model``: whatever ``anatomy.trace`` takes, for evidence by what it sees, which says most; without one
    the edges of the images speak, about geometry alone. A model that was trained on these labels is blind to their
    faults. ``conf`` and ``predict_args`` as in ``anatomy.trace``. ``images``: how many of each split are looked at as
    pictures, spread evenly, None: all; files are always read all.

    Raises FileNotFoundError and ValueError for data that hold no labels, TypeError and ValueError for arguments.
    """
    conf = share(conf, "conf")
    if images is not None and whole_number(images, "images") < 1:
        raise ValueError(f"images must be at least 1, or None for all, but {images} was given.")
    sets = _sets(data, split)
    head = None if model is None else describe(model)
    found = _Gathered()
    for name, labels in sets.items():
        read = _read(name, labels, progress)
        material = _material(read, model, None if head is None else head.names, images, conf, progress, predict_args)
        verdict = judge(material)
        _add(found, read, verdict)
        if head is not None:
            lacking = counterparts(labels.names, head.names)[1]
            found.left_out += [entry for entry in lacking if entry not in found.left_out]
    return LabelReport(
        subject=f"labels of {data if isinstance(data, str | os.PathLike) else next(iter(sets.values())).source}",
        findings=tuple(found.findings),
        probes=sum(found.looked.values()),
        mends=tuple(found.mends),
        readings=reading_rows(found.weighed),
        problems=problem_rows(found.problems),
        images=found.images,
        looked=found.looked,
        left_out=tuple(found.left_out),
        data=data,
    )


def _sets(data: Any, split: str | None) -> dict[str, LabelledSet]:
    """The labelled sets by the name of their split, "" of what has none; raises for data without labels."""
    if split is None and isinstance(data, str | os.PathLike) and Path(data).suffix.lower() in (".yaml", ".yml"):
        if not Path(data).is_file():
            raise FileNotFoundError(f"Labels are read from files, but {str(data)!r} does not exist.")
        found = {name: read_labels(data, split=name) for name in splits_of(Path(data)) or ["val"]}
        found = _each_once(found)
    else:
        found = {split or "": read_labels(data) if split is None else read_labels(data, split=split)}
    if not any(labels.truth for labels in found.values()):
        raise ValueError(
            f"The doctor looks at labels, but {next(iter(found.values())).source} holds images without any. Label "
            "files are looked for in `labels` in place of the last `images` of each path, and beside the images."
        )
    return found


def _each_once(sets: Mapping[str, LabelledSet]) -> dict[str, LabelledSet]:
    """Splits without those that are the same images as one before."""
    found: dict[str, LabelledSet] = {}
    for name, labels in sets.items():
        if all(labels.listing.paths != other.listing.paths for other in found.values()):
            found[name] = labels
    return found


def _read(name: str, labels: LabelledSet, progress: bool) -> _Split:
    """Every label file of a split."""
    parts: list[Rows] = []
    gathered: list[Rows] = []
    problems: list[Problem] = list(labels.listing.problems)
    told = f"reading labels {name}".strip()
    for place, one in enumerate(tqdm(labels, total=len(labels), desc=told, unit="file", disable=not progress)):
        parts.append(rows_of(place, one))
        problems += one.problems
        if len(parts) == AT_ONCE:
            gathered.append(gather(parts))
            parts = []
    return _Split(name=name, labels=labels, rows=gather([*gathered, *parts]), problems=tuple(problems))


def _material(
    read: _Split,
    model: Any,
    model_names: Mapping[int, str] | None,
    images: int | None,
    conf: float,
    progress: bool,
    predict_args: Mapping[str, Any],
) -> Material:
    """Look at some of the pictures."""
    paths = read.labels.listing.paths
    places = looked_at(len(paths), images)
    told = read.name or "images"
    kept, sizes, seen, fields = [], [], [], {}
    for place, size, one, edges in look([paths[i] for i in places.tolist()], model, conf, progress, told, predict_args):
        if edges is not None:
            fields[len(kept)] = edges
        kept.append(int(places[place]))
        sizes.append(size)
        seen.append(one)
    looked = np.array(kept, np.int64)
    known: list[Seen] | None = None
    matched = True
    if model_names is not None:
        classes, _ = counterparts(read.labels.names, model_names)
        matched = bool(classes)
        known = translated(seen, classes or dict.fromkeys(model_names, NO_CLASS), keep=not matched)
    return Material(
        rows=read.rows.of_images(looked),
        paths=paths,
        looked=looked,
        sizes=np.array(sizes, np.float64).reshape(-1, 2),
        names=read.labels.names,
        used=np.unique(read.rows.class_id),
        seen=known,
        fields=fields,
        split=read.name,
        classes_known=matched,
    )


def _add(found: _Gathered, read: _Split, verdict: Verdict) -> None:
    """What one split adds to the report."""
    found.findings += findings_of(verdict)
    found.mends += mends_of(verdict)
    found.weighed += weighed(verdict)
    found.looked[read.name] = len(verdict.material.looked)
    found.images += len(read.labels)
    for problem in read.problems:
        found.problems.append(
            {
                "split": read.name,
                "path": str(problem.path),
                "line": problem.line,
                "code": problem.code,
                "message": problem.message,
            }
        )
