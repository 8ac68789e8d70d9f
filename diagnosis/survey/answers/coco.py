"""A survey as COCO's files: results that any evaluator reads, and the labels that belong to them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars
from polars import DataFrame, Float64, col

from anatomy.archive.whole import write_whole

from ..tables import SurveyTables

SELECTIONS = ("detections", "evaluation")
SIDES = ("x1", "y1", "x2", "y2")


@dataclass(frozen=True)
class CocoExport:
    """``results``: COCO's list of detections; ``truth``: the data set they belong to, None without labels.

    An image's ``image_id`` is its number in the survey + 1, a ``category_id`` is the class id + 1; ``bbox`` is
    x, y, width, height in px of the original.
    """

    results: list[dict[str, Any]]
    truth: dict[str, list[dict[str, Any]]] | None

    def __str__(self) -> str:
        labels = "no labels" if self.truth is None else f"{len(self.truth['annotations'])} labels"
        return f"{len(self.results)} results and {labels} in COCO's format"

    def to_df(self) -> DataFrame:
        """The results, one row each."""
        schema = {"image_id": polars.Int64, "category_id": polars.Int64, "bbox": polars.List(Float64), "score": Float64}
        return DataFrame(self.results, schema=schema)


def to_coco(survey: SurveyTables, path: str | Path | None = None, *, which: str = "detections") -> CocoExport:
    """The detections of a survey as COCO results, and its labels as a COCO data set.

    ``which``: "detections" of the working point, or the "evaluation" that scores are computed of (the model as it is,
    without what the cut at ``max_det`` drops; mapped to the original and clipped to it, as Ultralytics does on saving).
    With ``path`` (a ``.json``) the results are written there, and the labels beside them as ``<name>_truth.json``, each
    whole or not at all. Raises ValueError for another selection or ending.
    """
    if which not in SELECTIONS:
        raise ValueError(f"which must be one of {list(SELECTIONS)}, but {which!r} was given.")
    target = None if path is None else Path(path)
    if target is not None and target.suffix.lower() != ".json":
        raise ValueError(f"COCO results go to a .json file, but {str(path)!r} was given.")
    rows = survey.detections if which == "detections" else _evaluated(survey)
    export = CocoExport(results=_results(rows), truth=_truth(survey) if survey.truth else None)
    if target is not None:
        _write(target, export.results)
        if export.truth is not None:
            _write(target.with_name(f"{target.stem}_truth.json"), export.truth)
    return export


def _evaluated(survey: SurveyTables) -> polars.LazyFrame:
    """What validation keeps of the model as it is, in px of the original."""
    kept = survey.evaluation.filter((col("variant") == -1) & ~col("cut"))
    images = survey.images.select("number", "gain", "pad_x", "pad_y", "width", "height")
    placed = kept.join(images, on="number", how="left", maintain_order="left")
    ends = {"x": col("width").cast(Float64), "y": col("height").cast(Float64)}
    back = {side: (col(side).cast(Float64) - col(f"pad_{side[0]}")) / col("gain") for side in SIDES}
    return placed.with_columns(back[side].clip(0, ends[side[0]]).alias(side) for side in SIDES)


def _results(rows: polars.LazyFrame) -> list[dict[str, Any]]:
    """One dict a row; built from lists, as a survey's evaluation has a million rows."""
    told = rows.select("number", "class_id", "confidence", *SIDES).collect()
    corners = told.select(SIDES).to_numpy().astype(np.float64)
    boxes = np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), 1).tolist()
    numbers, classes, scores = (told[name].to_list() for name in ("number", "class_id", "confidence"))
    return [
        {"image_id": number + 1, "category_id": class_id + 1, "bbox": box, "score": score}
        for number, class_id, box, score in zip(numbers, classes, boxes, scores, strict=True)
    ]


def _truth(survey: SurveyTables) -> dict[str, list[dict[str, Any]]]:
    """The labels as a COCO data set; the area is that of the box."""
    readable = survey.images.filter(col("error").is_null())
    images = readable.select((col("number") + 1).alias("id"), col("image").alias("file_name"), "width", "height")
    objects = survey.objects.with_row_index("id", offset=1).select(
        "id",
        (col("number") + 1).alias("image_id"),
        (col("class_id") + 1).alias("category_id"),
        polars.concat_list("x1", "y1", col("x2") - col("x1"), col("y2") - col("y1")).alias("bbox"),
        ((col("x2") - col("x1")) * (col("y2") - col("y1"))).alias("area"),
        polars.lit(0).alias("iscrowd"),
    )
    return {
        "images": images.collect().to_dicts(),
        "annotations": objects.collect().to_dicts(),
        "categories": [{"id": id_ + 1, "name": name} for id_, name in survey.names.items()],
    }


def _write(path: Path, value: Any) -> None:
    text = json.dumps(value, allow_nan=False)
    write_whole(path, lambda file: file.write(text.encode()))
