"""A survey of rows that a test writes by hand: what a row leaves out is filled in, in the schema of the tables."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars

from diagnosis.survey.tables import EVALUATION, IMAGES, OBJECTS, detections_schema

NAMES = {0: "cat", 1: "dog", 2: "bird"}
STRIDES = {"P3": 8.0, "P4": 16.0, "P5": 32.0}
SETTINGS = {"conf": 0.25, "iou": 0.7, "imgsz": 640, "match_iou": 0.5, "max_det": 300, "ablation": False}
BOX = (10.0, 10.0, 50.0, 50.0)


@dataclass(frozen=True)
class StandInLevel:
    index: int
    name: str
    stride: float


@dataclass(frozen=True)
class StandIn:
    """What the functions of a survey ask of it."""

    objects: polars.LazyFrame
    detections: polars.LazyFrame
    images: polars.LazyFrame
    evaluation: polars.LazyFrame
    names: dict[int, str]
    levels: tuple[StandInLevel, ...]
    settings: dict[str, Any]
    truth: bool
    path: Path

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.names.values())


def a_survey(
    objects: Iterable[Mapping[str, Any]] = (),
    detections: Iterable[Mapping[str, Any]] = (),
    images: int | Iterable[Mapping[str, Any]] = 0,
    evaluation: Iterable[Mapping[str, Any]] = (),
    *,
    names: Mapping[int, str] = NAMES,
    strides: Mapping[str, float] = STRIDES,
    truth: bool = True,
    path: Path = Path("survey"),
    **settings: Any,
) -> StandIn:
    """A survey of these rows; ``images``: how many there are, or rows of them.

    A row may say ``box`` for x1, y1, x2, y2, a level by ``level`` or ``level_name``, a class by ``class_id`` or
    ``class_name``; objects and detections are numbered within their image. An object counts as found where the row
    says ``found``, a detection as correct where it says no ``error``.
    """
    levels = tuple(StandInLevel(i, name, stride) for i, (name, stride) in enumerate(strides.items()))
    known = _Known(dict(names), levels)
    rows = [known.object(row) for row in objects]
    seen = [known.detection(row, truth) for row in detections]
    rows, seen = _numbered(rows, "object"), _numbered(seen, "detection")
    evaluated = [known.evaluated(row) for row in evaluation]
    given = [{"number": number} for number in range(images)] if isinstance(images, int) else [*map(dict, images)]
    pictures = _images(given, rows, seen, evaluated)
    return StandIn(
        objects=_frame(rows, OBJECTS),
        detections=_frame(seen, detections_schema(strides)),
        images=_frame(pictures, IMAGES),
        evaluation=_frame(evaluated, EVALUATION),
        names=dict(names),
        levels=levels,
        settings=SETTINGS | settings,
        truth=truth,
        path=path,
    )


def image_name(number: int) -> str:
    return f"image{number}.jpg"


def _frame(rows: list[dict], schema: dict[str, Any]) -> polars.LazyFrame:
    """Rows in the order of the set, exactly in this schema; raises where a row names another column."""
    unknown = sorted({name for row in rows for name in row} - set(schema))
    assert not unknown, f"The table has no columns {unknown}."
    return polars.DataFrame(rows, schema=schema).sort("number", maintain_order=True).lazy()


def _numbered(rows: list[dict], column: str) -> list[dict]:
    """Rows with their index in their image, where they do not say it."""
    counts: dict[int, int] = {}
    for row in rows:
        index = counts.get(row["number"], 0)
        row.setdefault(column, index)
        counts[row["number"]] = index + 1
    return rows


def _images(given: list[dict], objects: list[dict], detections: list[dict], evaluated: list[dict]) -> list[dict]:
    """One row for every image that is given or that a row of the other tables lies in."""
    told = {row["number"]: row for row in given}
    for row in (*objects, *detections, *evaluated):
        told.setdefault(row["number"], {"number": row["number"]})
    return [_image(told[number], objects, detections) for number in sorted(told)]


def _image(row: dict, objects: list[dict], detections: list[dict]) -> dict:
    mine = [other for other in objects if other["number"] == row["number"]]
    return {
        "image": image_name(row["number"]),
        "width": 640,
        "height": 480,
        "input_width": 640,
        "input_height": 480,
        "gain": 1.0,
        "pad_x": 0.0,
        "pad_y": 0.0,
        "objects": len(mine),
        "found": sum(other["found"] for other in mine),
        "detections": sum(other["number"] == row["number"] for other in detections),
        "error": None,
        "label_problems": 0,
    } | row


@dataclass(frozen=True)
class _Known:
    """Classes and levels, by which rows are filled in."""

    names: dict[int, str]
    levels: tuple[StandInLevel, ...]

    def object(self, row: Mapping[str, Any]) -> dict:
        row = self._placed(row)
        found = row.setdefault("found", False)
        area = max(row["x2"] - row["x1"], 0) * max(row["y2"] - row["y1"], 0)
        defaults = {
            "size": "small" if area < 32**2 else "medium" if area < 96**2 else "large",
            "size_strides": math.sqrt(area) / self.levels[row["level"]].stride,
            "stage": "" if found else "confidence",
            "detection": None,
            "iou": 0.8 if found else 0.6,
            "confidence": 0.9 if found else 0.1,
            "top_class_name": row["class_name"],
            "top_score": 0.9 if found else 0.1,
            "suppressed_by": None,
            "reach": 1.0,
            "ceiling": False,
            "candidates": [],
        }
        return defaults | row

    def detection(self, row: Mapping[str, Any], truth: bool) -> dict:
        row = self._placed(row)
        error = row.setdefault("error", None)
        second = next((other for other in self.names if other != row["class_id"]), row["class_id"])
        rivals = {f"rivals_{level.name}": row.get(f"rivals_{level.name}", 0) for level in self.levels}
        defaults = {
            "confidence": 0.9,
            "stride": self.levels[row["level"]].stride,
            "branch": "one2many",
            "center_x": (row["x1"] + row["x2"]) / 2,
            "center_y": (row["y1"] + row["y2"]) / 2,
            "suppressed": sum(rivals.values()),
            **rivals,
            "second_class_id": second,
            "second_class_name": self.names[second],
            "second_score": 0.05,
            "object": None,
            "iou": {None: 0.8, "background": 0.0}.get(error, 0.5) if truth else 0.0,
            "correct": error is None if truth else None,
        }
        return defaults | row

    def evaluated(self, row: Mapping[str, Any]) -> dict:
        row = _boxed(row)
        defaults = {"number": 0, "variant": -1, "class_id": 0, "confidence": 0.5, "level": 0, "anchor": 0, "cut": False}
        return defaults | row

    def _placed(self, row: Mapping[str, Any]) -> dict:
        """A row with its image, box, class and level, however they were said."""
        row = {"number": 0, "row": 0, "col": 0, "anchor": 0} | _boxed(row)
        row.setdefault("image", image_name(row["number"]))
        ids = {name: id_ for id_, name in self.names.items()}
        row.setdefault("class_id", ids[row["class_name"]] if "class_name" in row else next(iter(self.names)))
        row.setdefault("class_name", self.names[row["class_id"]])
        places = {level.name: level.index for level in self.levels}
        row.setdefault("level", places[row["level_name"]] if "level_name" in row else 0)
        row.setdefault("level_name", self.levels[row["level"]].name)
        return row


def _boxed(row: Mapping[str, Any]) -> dict:
    """A row with x1, y1, x2, y2 in place of ``box``."""
    row = dict(row)
    box = row.pop("box", BOX)
    return dict(zip(("x1", "y1", "x2", "y2"), map(float, box), strict=True)) | row
