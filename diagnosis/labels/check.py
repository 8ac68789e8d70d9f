"""The label doctor: systematic faults of a labelled set, by name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from anatomy.arguments import share, whole_number
from anatomy.families.registry import describe

from ..findings import Finding
from .files import copy_findings, find_copies, image_findings, look_at_all
from .files.pictures import ImageFile
from .looking import NO_CLASS, counterparts, knows_most, look, looked_at
from .material import Material
from .mends import mends_of
from .other_splits import likely_source, mends_with, told_with
from .report import LabelReport, Mend
from .seen import translated
from .single import suspects_of
from .splits import Split, labelled_sets, read_split
from .symptoms import with_symptoms
from .tables import problem_rows, reading_rows, suspect_rows
from .told import findings_of
from .verdict import Verdict, judge
from .weighed import weighed


@dataclass(frozen=True)
class _Looking:
    """How pictures are looked at: the model and its names, how many, and what goes to ``predict``."""

    model: Any
    names: Mapping[int, str] | None
    images: int | None
    conf: float
    progress: bool
    predict_args: Mapping[str, Any]


@dataclass
class _Gathered:
    """What the splits give to the report."""

    findings: list[Finding] = field(default_factory=list)
    mends: list[Mend] = field(default_factory=list)
    weighed: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    suspects: list[dict[str, Any]] = field(default_factory=list)
    left_out: dict[str, None] = field(default_factory=dict)
    looked: dict[str, int] = field(default_factory=dict)
    files: dict[str, list[ImageFile]] = field(default_factory=dict)
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
    pictures, spread evenly, None: all; files are always read all. Nothing is written.

    Raises FileNotFoundError and ValueError for data that hold no labels, TypeError and ValueError for arguments.

    >>> diagnosis.check_labels(labels, progress=False).images
    1
    """
    conf = share(conf, "conf")
    if images is not None and whole_number(images, "images") < 1:
        raise ValueError(f"images must be at least 1, or None for all, but {images} was given.")
    if isinstance(model, str | os.PathLike):
        raise TypeError(
            f"A model is an object, but {str(model)!r} is the name of one. Open it: surgery.load({str(model)!r}), or "
            f"YOLO({str(model)!r})."
        )
    if model is None:
        _check_known(predict_args)
    sets = labelled_sets(data, split)
    names = None if model is None else describe(model).names
    looking = _Looking(model=model, names=names, images=images, conf=conf, progress=progress, predict_args=predict_args)
    found = _Gathered()
    judged = []
    for name, labels in sets.items():
        split_read = read_split(name, labels, progress)
        judged.append((split_read, judge(_material(split_read, looking))))
    for split_read, verdict in judged:
        source = likely_source(verdict, (other for _, other in judged))
        _add(found, split_read, verdict, source, looking)
    copies = copy_findings(find_copies(found.files, progress))
    return LabelReport(
        subject=f"labels of {data if isinstance(data, str | os.PathLike) else next(iter(sets.values())).source}",
        findings=(*found.findings, *copies),
        probes=sum(found.looked.values()),
        mends=tuple(found.mends),
        readings=reading_rows(found.weighed),
        suspects=suspect_rows(sorted(found.suspects, key=lambda row: -row["score"])),
        problems=problem_rows(found.problems),
        images=found.images,
        looked=found.looked,
        left_out=tuple(found.left_out),
        data=data,
    )


def _check_known(predict_args: Mapping[str, Any]) -> None:
    """Refuse arguments that no prediction takes, although there is none: a slip of the pen, or of the pen's name."""
    if predict_args:
        from anatomy.families.ultralytics.arguments import check_predict_args

        check_predict_args({name: value for name, value in predict_args.items() if name != "classes"}, {})


def _add(found: _Gathered, split: Split, verdict: Verdict, source: Verdict | None, looking: _Looking) -> None:
    """Add what the verdict on one split gives; ``source``: another whose reading probably holds of it too."""
    told, mends = findings_of(verdict), mends_of(verdict)
    if source is not None:
        told = [told_with(finding, verdict, source) for finding in told]
        mends = mends_with(mends, verdict, source)
    files = look_at_all([Path(path) for path in split.labels.listing.paths], looking.progress)
    of_files = split.files.findings()
    if not len(split.rows) and any(finding.severity == "error" for finding in of_files):
        told = [finding for finding in told if finding.code != "cannot_tell"]  # why is told by the files
    found.findings += with_symptoms(told, [*of_files, *image_findings(files)])
    found.mends += mends
    found.weighed += weighed(verdict)
    found.suspects += suspects_of(verdict)
    found.problems += split.files.rows(split.name)
    found.looked[split.name] = len(verdict.material.looked)
    found.files[split.name] = files
    found.images += len(split.labels)
    if looking.names is not None:
        found.left_out |= dict.fromkeys(counterparts(split.labels.names, looking.names)[1])


def _material(split: Split, looking: _Looking) -> Material:
    """Look at some of the pictures of a split."""
    paths = split.labels.listing.paths
    places = looked_at(len(paths), looking.images)
    some = [paths[place] for place in places.tolist()]
    told = split.name or "images"
    kept, sizes, seen, fields = [], [], [], {}
    for one in look(some, looking.model, looking.conf, looking.progress, told, looking.predict_args):
        if one.edges is not None:
            fields[len(kept)] = one.edges
        kept.append(int(places[one.place]))
        sizes.append(one.size)
        seen.append(one.seen)
    looked = np.array(kept, np.int64)
    known, matched, in_common = None, True, None
    if looking.names is not None:
        classes, _ = counterparts(split.labels.names, looking.names)
        if split.labels.names:
            in_common = tuple(split.labels.names[i] for i in sorted(set(classes.values())))
        matched = knows_most(classes, split.labels.names, split.rows.class_id)
        known = translated(seen, classes or dict.fromkeys(looking.names, NO_CLASS), keep=not matched)
    return Material(
        rows=split.rows.of_images(looked),
        paths=paths,
        looked=looked,
        sizes=np.array(sizes, np.float64).reshape(-1, 2),
        names=split.labels.names,
        used=np.unique(split.rows.class_id),
        seen=known,
        fields=fields,
        split=split.name,
        classes_known=matched,
        in_common=in_common,
    )
