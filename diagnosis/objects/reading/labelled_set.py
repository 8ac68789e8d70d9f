"""A labelled set: its images, and the labels of each, read when they are asked for."""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from anatomy import whole_number
from anatomy.shown import Told

from .image_labels import ImageLabels
from .label_paths import Place, orphans
from .listing import Listing
from .problems import Problem
from .readers import Reader


@dataclass(frozen=True, repr=False)
class LabelledSet(Told):
    """The images of a set in Ultralytics' order and, one by one, their labels. Made by ``read_labels``.

    ``source`` as it was given; ``names`` {class id: name}, empty where unknown; ``categories`` {class id: id in the
    file}, of a COCO JSON alone. ``len()``, ``[i]`` and iteration give ``ImageLabels``; each is read anew and nothing is
    kept, so that time grows with the set and memory does not. Can be pickled, for workers.
    """

    source: str
    names: dict[int, str]
    listing: Listing
    reader: Reader
    categories: Mapping[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.listing.paths)

    def __repr__(self) -> str:
        return f"LabelledSet({self.source!r}, {len(self)} images, {len(self.names)} names)"

    def __str__(self) -> str:
        names = f"{len(self.names)} classes" if self.names else "names unknown"
        return f"{self.source}: {len(self)} images, {names}, {'with' if self.truth else 'without'} labels"

    @cached_property
    def images(self) -> tuple[Path, ...]:
        """The absolute paths of the images."""
        return tuple(map(Path, self.listing.paths))

    @cached_property
    def truth(self) -> bool:
        """Whether there are labels of any image."""
        return any(map(self.reader.has, self.listing.paths))

    def __getitem__(self, i: int) -> ImageLabels:
        """The labels of image ``i``, read now."""
        i = whole_number(i, "An image, given by its number,")
        if not -len(self) <= i < len(self):
            raise IndexError(f"Image {i} does not exist: this set has {len(self)}, numbered from 0.")
        return self._read(self.listing.paths[i])

    def __iter__(self) -> Iterator[ImageLabels]:
        return map(self._read, self.listing.paths)

    def problems(self) -> Iterator[Problem]:
        """All that is wrong: with the list of images, then image by image, then label files without an image."""
        yield from self.listing.problems
        for labels in self:
            yield from labels.problems
        for path in orphans(self.listing.paths, self.listing.folders):
            yield Problem(Path(path), None, "orphan", "no image in the folder of images belongs to it.")

    def of(self, image: str | Path) -> ImageLabels:
        """The labels of an image: by its path, else by its file name. Raises LookupError for none and for several."""
        place = Place.of(image)
        if place.given in self.listing.paths or place.real in self.listing.paths:
            return self._read(place.given if place.given in self.listing.paths else place.real)
        name = os.path.basename(place.given)
        found = [path for path in self.listing.paths if os.path.basename(path) == name]
        if len(found) != 1:
            several = f"{len(found)} images are called" if found else f"none of its {len(self)} images is called"
            raise LookupError(
                f"The labels of an image are found by its path or file name, but {several} {name!r} in "
                f"{self.source}. Give the labels of the image: read_labels(...)[i]."
            )
        return self._read(found[0])

    def _read(self, path: str) -> ImageLabels:
        labels = self.reader.read(path, self.names)
        told = []
        if not os.path.isfile(path):
            told.append(Problem(Path(path), None, "missing_image", "the image is not there.", kept=True))
        if labels.path is None and self.truth:
            message = "it has no label file, though others of the set do: an image without objects."
            told.append(Problem(Path(path), None, "missing_file", message, kept=True))
        return dataclasses.replace(labels, problems=(*told, *labels.problems)) if told else labels
