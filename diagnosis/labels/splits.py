"""The splits of a labelled set, and every label file of one."""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from ..objects.reading import LabelledSet, Problem, read_labels
from ..objects.reading.data_yaml import splits_of
from ..objects.reading.label_paths import orphans
from .files import FileTally
from .rows import Rows, gather, rows_of

AT_ONCE = 2000  # files whose rows are gathered together


@dataclass(frozen=True)
class Split:
    """One split as it was read: its labels, all rows, and what its files are counted for."""

    name: str
    labels: LabelledSet
    rows: Rows
    files: FileTally


def labelled_sets(data: Any, split: str | None) -> dict[str, LabelledSet]:
    """The labelled sets by the name of their split, "" of what has none; raises for data without labels."""
    if split is None and isinstance(data, str | os.PathLike) and Path(data).suffix.lower() in (".yaml", ".yml"):
        if not Path(data).is_file():
            raise FileNotFoundError(f"Labels are read from files, but {str(data)!r} does not exist.")
        found = _each_once(_all_there(data, splits_of(Path(data)) or ["val"]))
    else:
        found = {split or "": read_labels(data) if split is None else read_labels(data, split=split)}
    if not any(labels.truth for labels in found.values()):
        raise ValueError(
            f"The doctor looks at labels, but {next(iter(found.values())).source} holds images without any. Label "
            "files are looked for in `labels` in place of the last `images` of each path, and beside the images."
        )
    return found


def read_split(name: str, labels: LabelledSet, progress: bool) -> Split:
    """Read every label file of a split."""
    parts: list[Rows] = []
    gathered: list[Rows] = []
    files = FileTally()
    files.add_problems(labels.listing.problems)
    told = f"reading labels {name}".strip()
    for place, one in enumerate(tqdm(labels, total=len(labels), desc=told, unit="file", disable=not progress)):
        parts.append(rows_of(place, one))
        files.add(one)
        if len(parts) == AT_ONCE:
            gathered.append(gather(parts))
            parts = []
    lost = orphans(labels.listing.paths, labels.listing.folders)
    files.add_problems(Problem(Path(path), None, "orphan", "no image belongs to it.") for path in lost)
    return Split(name=name, labels=labels, rows=gather([*gathered, *parts]), files=files)


def _all_there(data: str | os.PathLike, splits: Sequence[str]) -> dict[str, LabelledSet]:
    """The labels of each split. Few people fetch the images of "test": where they are not there, that is told."""
    found: dict[str, LabelledSet] = {}
    for name in splits:
        try:
            found[name] = read_labels(data, split=name)
        except FileNotFoundError as error:
            if name != "test" or not found:
                raise
            warnings.warn(f"{error} It is left out.", stacklevel=4)
    return found


def _each_once(sets: Mapping[str, LabelledSet]) -> dict[str, LabelledSet]:
    """Splits without those that are the same images as one before: YAMLs of examples name one folder for both."""
    found: dict[str, LabelledSet] = {}
    for name, labels in sets.items():
        if all(labels.listing.paths != other.listing.paths for other in found.values()):
            found[name] = labels
    return found
