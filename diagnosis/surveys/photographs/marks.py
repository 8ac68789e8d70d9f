"""What is drawn of a row: the truth, the detection or the cell of the best candidate, and what came before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars

from anatomy.head.level_colors import level_color

from ..tables import SurveyTables
from .crops import Mark

TRUTH = "#FFFFFF"
THIN, THICK = 1, 2
Rows = Mapping[tuple[int, int], Mapping[str, Any]]
"""Rows of a table by (number of the image, index in it)."""


@dataclass(frozen=True)
class Scene:
    """What is drawn on one photograph: its ``size`` (width, height) px as it was surveyed, and marks in their order."""

    size: tuple[int, int] | None
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class _Known:
    """What the rows at hand refer to, and the strides of levels by name."""

    images: Mapping[int, Mapping[str, Any]]
    objects: Rows
    detections: Rows
    strides: Mapping[str, float]


def marks_of(survey: SurveyTables, rows: polars.DataFrame, table: str) -> list[Scene]:
    """The marks of every row of a table."""
    numbers = polars.col("number").is_in(rows["number"].unique().to_list())
    frames = (survey.images, survey.objects, survey.detections)
    images, objects, detections = (frame.filter(numbers).collect() for frame in frames)
    known = _Known(
        images={row["number"]: row for row in images.iter_rows(named=True)},
        objects={(row["number"], row["object"]): row for row in objects.iter_rows(named=True)},
        detections={(row["number"], row["detection"]): row for row in detections.iter_rows(named=True)},
        strides={level.name: float(level.stride) for level in survey.levels},
    )
    draw = {"objects": _of_object, "detections": _of_detection, "images": _of_image}[table]
    scenes = []
    for row in rows.iter_rows(named=True):
        image = known.images.get(row["number"])
        size = (image["width"], image["height"]) if image and image["error"] is None else None
        scenes.append(Scene(size, tuple(draw(row, known))))
    return scenes


def box_of(row: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """The box of a row, xyxy px of the original."""
    return row["x1"], row["y1"], row["x2"], row["y2"]


def cell_of(row: Mapping[str, Any], stride: float, image: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """The cell of a row's level as xyxy px of the original."""
    left, top = row["col"] * stride - image["pad_x"], row["row"] * stride - image["pad_y"]
    across, down = image["gain_x"], image["gain_y"]
    return left / across, top / down, (left + stride) / across, (top + stride) / down


def _of_object(row: Mapping[str, Any], known: _Known) -> list[Mark]:
    truth, color = Mark(box_of(row), TRUTH, THIN), level_color(row["level_name"])
    found = known.detections.get((row["number"], row["detection"]))
    if found is not None:
        return [truth, Mark(box_of(found), color, THICK)]
    marks = [truth]
    by = known.detections.get((row["number"], row["suppressed_by"]))
    if by is not None:
        marks.append(Mark(box_of(by), level_color(by["level_name"]), THIN))
    stride, image = known.strides.get(row["level_name"]), known.images.get(row["number"])
    if stride is not None and image is not None:
        marks.append(Mark(cell_of(row, stride, image), color, THICK))
    return marks


def _of_detection(row: Mapping[str, Any], known: _Known) -> list[Mark]:
    truth = known.objects.get((row["number"], row["object"]))
    marks = [] if truth is None else [Mark(box_of(truth), TRUTH, THIN)]
    better = None if truth is None else known.detections.get((row["number"], truth["detection"]))
    if row["error"] == "duplicate" and better is not None:
        marks.append(Mark(box_of(better), level_color(better["level_name"]), THIN))
    return [*marks, Mark(box_of(row), level_color(row["level_name"]), THICK)]


def _of_image(row: Mapping[str, Any], known: _Known) -> list[Mark]:
    truths = [Mark(box_of(held), TRUTH, THIN) for (number, _), held in known.objects.items() if number == row["number"]]
    seen = [held for (number, _), held in known.detections.items() if number == row["number"]]
    return truths + [Mark(box_of(held), level_color(held["level_name"]), THICK) for held in seen]
