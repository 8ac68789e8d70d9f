"""A survey as a FiftyOne data set, to look through its images there."""

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from polars import LazyFrame, col

from ..tables import SurveyTables

OF_DETECTIONS = {"level": "level_name", "row": "row", "col": "col", "error": "error"}
OF_OBJECTS = {"found": "found", "stage": "stage"}
SIDES = ("x1", "y1", "x2", "y2")


def to_fiftyone(survey: SurveyTables, name: str) -> Any:
    """A new FiftyOne data set of this name: one sample an image that could be read.

    ``predictions``: the detections of the working point with ``confidence``, ``level``, ``row``, ``col`` and ``error``;
    ``ground_truth``, where there are labels: the objects with ``found`` and ``stage``. Boxes are x, y, width, height
    in shares of the image. FiftyOne (https://docs.voxel51.com) is not a dependency: ImportError where it is missing.
    It keeps the data set until its session ends, unless ``persistent`` is set on it, and refuses a name that is taken.
    """
    try:
        fiftyone = importlib.import_module("fiftyone")
    except ImportError as error:
        raise ImportError(
            "to_fiftyone needs the package fiftyone, which is not installed here. Install it with `pip install "
            "fiftyone`, or use to_coco."
        ) from error
    dataset = fiftyone.Dataset(name)
    dataset.add_samples(_samples(fiftyone, survey))
    return dataset


def _samples(fiftyone: Any, survey: SurveyTables) -> Iterator[Any]:
    """One sample an image, in the order of the set."""
    images = survey.images.filter(col("error").is_null()).select("number", "image", "width", "height").collect()
    seen = _by_image(survey.detections, ("class_name", "confidence", *OF_DETECTIONS.values(), *SIDES))
    there = _by_image(survey.objects, ("class_name", *OF_OBJECTS.values(), *SIDES)) if survey.truth else None
    for image in images.iter_rows(named=True):
        sample = fiftyone.Sample(filepath=image["image"])
        found = [_detection(fiftyone, row, image, OF_DETECTIONS) for row in seen.get(image["number"], ())]
        sample["predictions"] = fiftyone.Detections(detections=found)
        if there is not None:
            labels = [_detection(fiftyone, row, image, OF_OBJECTS) for row in there.get(image["number"], ())]
            sample["ground_truth"] = fiftyone.Detections(detections=labels)
        yield sample


def _by_image(table: LazyFrame, columns: tuple[str, ...]) -> dict[Any, list[dict[str, Any]]]:
    """Number of an image: its rows."""
    rows = table.select("number", *columns).collect()
    return {key[0]: part.to_dicts() for key, part in rows.partition_by("number", as_dict=True).items()}


def _detection(fiftyone: Any, row: Mapping[str, Any], image: Mapping[str, Any], fields: Mapping[str, str]) -> Any:
    """A row as FiftyOne's detection, with these fields of its own."""
    width, height = image["width"], image["height"]
    box = [row["x1"] / width, row["y1"] / height, (row["x2"] - row["x1"]) / width, (row["y2"] - row["y1"]) / height]
    own = {field: row[column] for field, column in fields.items()}
    if "confidence" in row:
        own["confidence"] = row["confidence"]
    return fiftyone.Detection(label=row["class_name"], bounding_box=box, **own)
