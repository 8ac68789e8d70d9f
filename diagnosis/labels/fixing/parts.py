"""The splits of a data set."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...objects.reading import LabelledSet, read_labels
from ...objects.reading.data_yaml import DataYaml, read_data_yaml, splits_of
from ...objects.reading.label_file import Keypoints
from ...objects.reading.label_paths import Place
from ...objects.reading.readers import CocoAnnotations, LabelFiles

YAML = (".yaml", ".yml")


@dataclass(frozen=True)
class Part:
    """One split: its name ("" outside a data YAML), its labels, and the places that its images were given by."""

    split: str
    labels: LabelledSet
    places: tuple[Place, ...] = ()

    @property
    def keypoints(self) -> Keypoints:
        """The shape of its key points, None where it has none."""
        return self.labels.reader.keypoints if isinstance(self.labels.reader, LabelFiles) else None


@dataclass(frozen=True)
class Parts:
    """All splits of a data set that can be read; ``absent`` {split: why} of the others; ``source`` as it was given."""

    source: Any
    splits: tuple[Part, ...]
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """How many images there are in all."""
        return sum(len(part.labels) for part in self.splits)

    def paths(self) -> Iterator[str]:
        """The paths of all images."""
        for part in self.splits:
            yield from part.labels.listing.paths

    @property
    def coco(self) -> CocoAnnotations | None:
        """The annotations, if the set is given by a COCO JSON."""
        reader = self.splits[0].labels.reader
        return reader if isinstance(reader, CocoAnnotations) else None

    @property
    def yaml(self) -> Path | None:
        """The data YAML, if the set is given by one."""
        is_path = isinstance(self.source, str | os.PathLike)
        return Path(self.source) if is_path and Path(self.source).suffix.lower() in YAML else None


def open_parts(data: Any) -> Parts:
    """Read which images a data set has, in every split of a data YAML.

    Raises what ``read_labels`` raises; of a data YAML only where no split can be read.
    """
    is_yaml = isinstance(data, str | os.PathLike) and Path(data).suffix.lower() in YAML and Path(data).is_file()
    if not is_yaml:
        given = (Place.of(Path(data)),) if isinstance(data, str | os.PathLike) else ()
        return Parts(data, (Part("", read_labels(data), given),))
    path = Path(data)
    splits, absent = [], {}
    error: Exception | None = None
    for split in splits_of(path) or ["val"]:
        try:
            described: DataYaml = read_data_yaml(path, split)
            splits.append(Part(split, read_labels(path, split=split), described.places))
        except (FileNotFoundError, ValueError) as found:
            absent[split], error = str(found), found
    if not splits and error is not None:
        raise error
    return Parts(path, tuple(splits), absent)
