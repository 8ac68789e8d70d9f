"""COCO's JSON of annotations (https://cocodataset.org/#format-data), read as it stands."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from anatomy.arguments import shown

from .problems import Problem


class Annotation(NamedTuple):
    """One object: ``place`` in the list of annotations, from 0; class id from 0, -1 of none; ``bbox`` x y w h px.

    ``category``: the id in the file, NaN where that is no number.
    """

    place: int
    class_id: int
    category: float
    bbox: tuple[float, ...]
    polygons: tuple[np.ndarray, ...]  # (k, 2) xy px
    crowd: bool
    keypoints: np.ndarray | None = None  # (K, 3) xy px and how far they are seen; None where there are none


class CocoImage(NamedTuple):
    """One image: ``size`` (width, height) px, None where the file does not say; its annotations, id and file name."""

    size: tuple[int, int] | None
    annotations: list[Annotation]
    key: Any = None
    name: str = ""


class CocoFile(NamedTuple):
    """What a JSON holds: images by file name, ``names`` and ``categories`` {class id: name, id in the file}."""

    images: dict[str, CocoImage]
    names: dict[int, str]
    categories: dict[int, int]
    truth: bool
    problems: list[Problem]


def read_coco(path: Path) -> CocoFile:
    """Read a JSON whole; class ids are those of its categories in order, counted from 0.

    Raises ValueError for what is no such file.
    """
    data = _load(path)
    problems: list[Problem] = []
    categories = _categories(path, data.get("categories") or [])
    images, by_id = _images(path, data["images"], problems)
    annotations = data.get("annotations")
    classes = {category: index for index, (category, _) in enumerate(categories)}
    for place, entry in enumerate(annotations or []):
        image = by_id.get(_key(entry.get("image_id"))) if isinstance(entry, dict) else None
        if image is None:
            message = f"annotation {place} is about an image that the file does not list; it is left out."
            problems.append(Problem(path, None, "image_unknown", message))
        else:
            image.annotations.append(as_annotation(place, entry, classes))
    return CocoFile(
        images=images,
        names=dict(enumerate(name for _, name in categories)),
        categories=dict(enumerate(category for category, _ in categories)),
        truth=isinstance(annotations, list),
        problems=problems,
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Annotations are JSON, but {str(path)!r} cannot be read as such: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("images"), list):
        hint = " Is it a list of results? Those are predictions." if isinstance(data, list) else ""
        raise ValueError(
            f"A COCO JSON has `images`, `annotations` and `categories`, but {str(path)!r} holds {shown(data)}.{hint}"
        )
    for key in ("annotations", "categories"):
        if not isinstance(data.get(key, []), list):
            raise ValueError(f"`{key}` of a COCO JSON is a list, but {str(path)!r} has {shown(data[key])}.")
    return data


def _categories(path: Path, entries: Iterable[Any]) -> list[tuple[int, str]]:
    """Ids and names of the categories, in the order of the ids."""
    try:
        return sorted({int(entry["id"]): str(entry["name"]) for entry in entries}.items())
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"Each category needs an id and a name, but one of {str(path)!r} lacks them.") from error


def _images(path: Path, entries: list[Any], problems: list[Problem]) -> tuple[dict[str, CocoImage], dict]:
    """Images by file name and by id; two entries of one file are one image."""
    images: dict[str, CocoImage] = {}
    by_id: dict[Any, CocoImage] = {}
    for place, entry in enumerate(entries):
        name = entry.get("file_name") if isinstance(entry, Mapping) else None
        if not isinstance(name, str) or not name or "\0" in name:
            message = f"entry {place} of `images` has no file_name that a file can have; it is left out."
            problems.append(Problem(path, None, "bad_annotation", message))
            continue
        if name in images:
            problems.append(Problem(path, None, "duplicate_image", f"{name!r} is listed twice; it is kept once.", True))
        by_id[_key(entry.get("id"))] = images.setdefault(name, CocoImage(_size(entry), [], entry.get("id"), name))
    return images, by_id


def _key(value: Any) -> Any:
    """An id that can be looked up: as it is, or as text where it is a list or a mapping."""
    return json.dumps(value) if isinstance(value, list | dict) else value


def _size(entry: Mapping) -> tuple[int, int] | None:
    sides = _floats((entry.get("width"), entry.get("height")))
    whole = bool(sides) and all(side > 0 and side.is_integer() for side in sides)
    return (int(sides[0]), int(sides[1])) if whole else None


def as_annotation(place: int, entry: dict[str, Any], classes: Mapping[Any, int]) -> Annotation:
    """An entry of the list of annotations; ``classes`` {category id: class id}."""
    category = _number(entry.get("category_id"))
    return Annotation(
        place=place,
        class_id=classes.get(category, -1),
        category=category,
        bbox=_floats(entry.get("bbox")),
        polygons=_polygons(entry.get("segmentation")),
        crowd=bool(entry.get("iscrowd", 0)),
        keypoints=_keypoints(entry.get("keypoints")),
    )


def _number(value: Any) -> float:
    """A category as a number, also where it is written as text; NaN for none."""
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return value if isinstance(value, int | float) else math.nan


def _floats(values: Any) -> tuple[float, ...]:
    """The numbers of a list; none where one of them is no number."""
    try:
        return tuple(float(value) for value in values)
    except (TypeError, ValueError):
        return ()


def _keypoints(values: Any) -> np.ndarray | None:
    """Key points (K, 3), x y px and 0 not labelled, 1 hidden, 2 seen (https://cocodataset.org/#format-data)."""
    numbers = _floats(values) if isinstance(values, list) else ()
    whole = bool(numbers) and len(numbers) % 3 == 0 and all(map(math.isfinite, numbers))
    return np.array(numbers).reshape(-1, 3) if whole else None


def _polygons(segmentation: Any) -> tuple[np.ndarray, ...]:
    """The polygons of a segmentation, (k, 2) xy px; a mask that is run-length encoded has none."""
    if not isinstance(segmentation, list):
        return ()
    parts = [_floats(part) for part in segmentation if isinstance(part, list)]
    whole = [part for part in parts if len(part) >= 6 and len(part) % 2 == 0 and all(map(math.isfinite, part))]
    return tuple(np.array(part).reshape(-1, 2) for part in whole)
