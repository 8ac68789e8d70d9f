"""How the labels of one image of a set are come by: from files beside images, from a COCO JSON, from one file."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from .coco import Annotation, CocoImage
from .header import header_size
from .image_labels import ImageLabels
from .label_file import Keypoints, read_label_file
from .label_paths import Place, find_label_file
from .problems import Problem
from .rows import Judged, Row, judge


class Reader(Protocol):
    """What a set asks for the labels of an image, given by its absolute path."""

    def has(self, image: str) -> bool:
        """Whether there is anything to be read for it."""
        ...

    def read(self, image: str, names: Mapping[int, str]) -> ImageLabels:
        """Read it now."""
        ...


@dataclass(frozen=True)
class LabelFiles:
    """A label file an image, found by Ultralytics' rule; ``only`` one, if that was given."""

    links: tuple[Place, ...] = ()
    keypoints: Keypoints = None
    only: str | None = None

    def has(self, image: str) -> bool:
        """Whether the image has a label file."""
        return self._find(image) is not None

    def read(self, image: str, names: Mapping[int, str]) -> ImageLabels:
        """The rows of its file; none where there is none."""
        path = self._find(image)
        judged = Judged((), ()) if path is None else read_label_file(Path(path), names, self.keypoints)
        return _labels(image, path, judged, names)

    def _find(self, image: str) -> str | None:
        return self.only or find_label_file(image, self.links)


@dataclass(frozen=True)
class CocoAnnotations:
    """The annotations of a COCO JSON, ``images`` by absolute path."""

    path: str
    images: Mapping[str, CocoImage]
    truth: bool

    def has(self, image: str) -> bool:
        """Whether the file holds annotations at all; an image without any is one without objects."""
        return self.truth

    def read(self, image: str, names: Mapping[int, str]) -> ImageLabels:
        """The annotations of an image, in the order of the file."""
        entry, path = self.images[image], Path(self.path)
        size = entry.size or header_size(image)
        if size is None and entry.annotations:
            message = f"{image!r} has no width and height here, and cannot be opened; its annotations are left out."
            judged = Judged((), (Problem(path, None, "bad_annotation", message),))
        else:
            judged = _judged(path, entry.annotations, size or (1, 1))
        return dataclasses.replace(_labels(image, self.path, judged, names), size=size)


def _labels(image: str, path: str | None, judged: Judged, names: Mapping[int, str]) -> ImageLabels:
    return ImageLabels(
        image=Path(image),
        path=None if path is None else Path(path),
        problems=judged.problems,
        names=names,
        **judged.arrays(),
    )


def _judged(path: Path, annotations: list[Annotation], size: tuple[int, int]) -> Judged:
    """The usable annotations of an image of this size, px, and what is wrong with the others."""
    rows, problems = annotation_rows(path, annotations, size)
    return judge(rows, path, {}, problems, word="annotation")


def annotation_rows(
    path: Path, annotations: Iterable[Annotation], size: tuple[int, int]
) -> tuple[list[Row], list[Problem]]:
    """A row of each annotation that can be one, its place in the list in place of a line; the others are told."""
    rows, problems = [], []
    for entry in annotations:
        fault = _why_not(entry)
        if fault:
            code, message = fault
            message = f"annotation {entry.place} {message}; it is left out."
            problems.append(Problem(path, None, code, message, values=(entry.category, *entry.bbox)))
        else:
            rows.append(_row(entry, np.array(size, np.float64)))
    return rows, problems


def _why_not(entry: Annotation) -> tuple[str, str] | None:
    if len(entry.bbox) != 4:
        return "bad_annotation", "has no bbox of four numbers"
    if entry.class_id < 0:
        return "class_unknown", f"is of category {entry.category:g}, which the file does not list"
    return None


def _row(entry: Annotation, size: np.ndarray) -> Row:
    corner, extent = np.array(entry.bbox[:2]) / size, np.array(entry.bbox[2:]) / size
    with np.errstate(invalid="ignore"):  # infinity is told of later
        box = (*(corner + extent / 2).tolist(), *extent.tolist())
    polygons = tuple(polygon / size for polygon in entry.polygons)
    outline = tuple(number for polygon in entry.polygons for number in polygon.reshape(-1).tolist())
    points = () if entry.keypoints is None else tuple(entry.keypoints.reshape(-1).tolist())
    return Row(
        line=entry.place,
        class_id=entry.class_id,
        cxcywh=box,
        values=(entry.class_id, *entry.bbox, *outline, *points),
        polygons=polygons,
        crowd=entry.crowd,
        keypoints=None if entry.keypoints is None else entry.keypoints / (*size.tolist(), 1),
    )
