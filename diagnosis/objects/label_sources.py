"""Labels wherever objects are wanted: what was read or is to be read, as boxes and classes of one image."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anatomy import Trace
from anatomy.arguments import refused, shown

from .class_match import match_classes
from .reading import ImageLabels, LabelledSet, read_labels
from .reading.coco_set import coco_set
from .reading.data_yaml import splits_of
from .reading.read import is_image_list
from .reading.readers import LabelFiles

EXAMPLE = "diagnosis.check_grid(model, [('photo.jpg', [[10, 20, 110, 220]], ['dog'])])"


def is_label_source(value: Any) -> bool:
    """Whether a value stands for labels: ``ImageLabels``, a ``LabelledSet``, or the path of a file that holds some."""
    return isinstance(value, ImageLabels | LabelledSet | str | os.PathLike)


@dataclass(frozen=True)
class SourceObjects:
    """The n objects that a source has for the image of a trace, in px of the original: ``boxes`` (n, 4) xyxy, ``ids``
    (n,) of the model's classes, ``segments`` of each object its polygons (k, 2), () where it has none; ``keypoints``
    (n, K, 2 or 3), None where not every object has some."""

    boxes: np.ndarray
    ids: list[int]
    segments: tuple[tuple[np.ndarray, ...], ...]
    keypoints: np.ndarray | None


def labelled_objects(trace: Trace, source: Any) -> SourceObjects:
    """The objects that a source has for the image of a trace.

    Crowd regions and what lies off the image are left out, as training leaves them out. Raises LookupError where the
    source does not know the image, SelectionError for a class that the model lacks.
    """
    labels = _of_image(source, trace.path)
    height, width = trace.image.shape[:2]
    boxes = labels.boxes(width, height)
    on = ~labels.crowd & (boxes[:, :2] < (width, height)).all(1) & (boxes[:, 2:] > 0).all(1)
    ids = labels.class_id[on].tolist()
    matched = match_classes(labels.names, trace.names, ids)
    keypoints = None if labels.keypoints is None else labels.keypoints[on].copy()
    if keypoints is not None:
        keypoints[..., :2] *= (width, height)
    return SourceObjects(
        boxes=boxes[on],
        ids=[matched[class_id] for class_id in ids],
        segments=tuple(_in_px(labels.segments[i], width, height) for i in np.flatnonzero(on).tolist()),
        keypoints=keypoints,
    )


def _in_px(polygons: Iterable[np.ndarray], width: int, height: int) -> tuple[np.ndarray, ...]:
    return tuple(polygon * (width, height) for polygon in polygons)


def labelled_images(data: Any) -> Iterator[tuple[Any, Any, Any]]:
    """(image, boxes, labels) of each entry of ``data``: such triples, ``ImageLabels``, or the source of a set."""
    if not isinstance(data, Iterable | os.PathLike):
        raise refused("Labelled images", "what read_labels reads, or a list of (image, boxes, labels)", data, EXAMPLE)
    entries: Iterable[Any] = read_labels(data) if isinstance(data, str | os.PathLike) else data
    for entry in entries:
        if isinstance(entry, ImageLabels):
            yield str(entry.image), entry, None
            continue
        try:
            image, boxes, *labels = entry
        except (TypeError, ValueError):
            raise ValueError(f"Labelled images are (image, boxes, labels), but {shown(entry)} was given.") from None
        yield image, boxes, labels[0] if labels else None


def _of_image(source: Any, image: str) -> ImageLabels:
    if isinstance(source, ImageLabels):
        return source
    if isinstance(source, LabelledSet):
        return _of_set(source, image)
    path = Path(source)
    ending = path.suffix.lower()
    if ending == ".json" and path.is_file():
        return _of_set(coco_set(path, "val", images=path.parent), image)
    if ending == ".txt" and path.is_file() and not is_image_list(path):
        return LabelFiles(only=str(path)).read(image, {})
    if ending in (".yaml", ".yml") and path.is_file():
        return _of_some_split(path, image)
    return _of_set(read_labels(path), image)


def _of_set(labelled: LabelledSet, image: str) -> ImageLabels:
    """The labels of an image; one of a set without any labels has none to give."""
    labels = labelled.of(image)
    if labels.path is None and not labelled.truth:
        raise LookupError(f"Objects are wanted, but {labelled.source} holds images without labels.")
    return labels


def _of_some_split(path: Path, image: str) -> ImageLabels:
    """The labels of an image in the first split of a data YAML that knows it."""
    splits = splits_of(path) or ["val"]
    for split in splits[:-1]:
        try:
            return _of_set(read_labels(path, split=split), image)
        except (LookupError, FileNotFoundError):  # the image may be in another split
            continue
    return _of_set(read_labels(path, split=splits[-1]), image)
