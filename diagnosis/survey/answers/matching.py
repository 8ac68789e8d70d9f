"""Boxes of the evaluation against objects: which box finds which object, confident ones first."""

from dataclasses import dataclass

import polars
from polars import DataFrame, Float64, Int64, LazyFrame, col

from ..tables import SurveyTables

SIDES = ("x1", "y1", "x2", "y2")


@dataclass(frozen=True)
class Matched:
    """``boxes``: number, class_id, confidence, ``finds`` (bool), one row a box, confident ones first within an image;
    ``objects``: number, object, stage, and the ``confidence`` of the box that finds each object, null where none does.

    Confident boxes choose first, so a higher threshold leaves the first boxes of each image with the same matches.
    """

    boxes: DataFrame
    objects: DataFrame


def match_evaluation(survey: SurveyTables, conf: float) -> Matched:
    """Match the evaluation's boxes above ``conf`` (a float32, as scores are), one label a box, with the objects.

    By class and IoU in px of the network's input, boxes clipped to the image as they are at the working point.
    """
    boxes = _likeliest(survey, conf).collect().with_row_index("box")
    images = survey.images.select("number", "gain", "pad_x", "pad_y", "width", "height").collect()
    objects = _in_input(survey.objects.select("number", "object", "class_id", "stage", *SIDES).collect(), images)
    objects = objects.with_row_index("target")
    pairs = _pairs(_clipped(boxes, images), objects, survey.settings["match_iou"])
    finder = _finders(pairs)
    found = DataFrame(
        {"target": list(finder), "box": list(finder.values())}, schema={"target": Int64, "box": Int64}
    ).cast({"target": objects.schema["target"], "box": boxes.schema["box"]})
    scores = found.join(boxes.select("box", "confidence"), on="box").select("target", "confidence")
    return Matched(
        boxes=boxes.with_columns(col("box").is_in(found["box"].implode()).alias("finds")),
        objects=objects.join(scores, on="target", how="left", maintain_order="left").select(
            "number", "object", "stage", "confidence"
        ),
    )


def _likeliest(survey: SurveyTables, conf: float) -> LazyFrame:
    """The likeliest label of each box of the model as it is, confident ones first in each image."""
    rows = survey.evaluation.filter((col("variant") == -1) & ~col("cut") & (col("confidence") > conf))
    ordered = rows.sort("number", "confidence", descending=[False, True], maintain_order=True)
    return ordered.unique(["number", "anchor"], keep="first", maintain_order=True)


def _in_input(objects: DataFrame, images: DataFrame) -> DataFrame:
    """Objects with their boxes in px of the network's input."""
    placed = objects.join(images, on="number", how="left", maintain_order="left")
    return placed.select(
        "number",
        "object",
        "class_id",
        "stage",
        *((col(side) * col("gain") + col(f"pad_{side[0]}")).alias(side) for side in SIDES),
    )


def _clipped(boxes: DataFrame, images: DataFrame) -> DataFrame:
    """Boxes cut off where the image ends, all in px of the network's input."""
    placed = boxes.join(images, on="number", how="left", maintain_order="left")
    ends = {"x": col("width") * col("gain") + col("pad_x"), "y": col("height") * col("gain") + col("pad_y")}
    return placed.select(
        "box",
        "number",
        "class_id",
        *(col(side).cast(Float64).clip(col(f"pad_{side[0]}"), ends[side[0]]).alias(side) for side in SIDES),
    )


def _pairs(boxes: DataFrame, objects: DataFrame, match_iou: float) -> DataFrame:
    """Boxes and objects of one image and class that overlap enough: in the order in which boxes choose."""
    both = boxes.lazy().join(objects.lazy(), on=["number", "class_id"], suffix=" of object")
    width = polars.min_horizontal("x2", "x2 of object") - polars.max_horizontal("x1", "x1 of object")
    height = polars.min_horizontal("y2", "y2 of object") - polars.max_horizontal("y1", "y1 of object")
    shared = width.clip(0) * height.clip(0)
    areas = [(col(f"x2{of}") - col(f"x1{of}")) * (col(f"y2{of}") - col(f"y1{of}")) for of in ("", " of object")]
    overlap = both.select("box", "target", (shared / (areas[0] + areas[1] - shared)).alias("iou"))
    near = overlap.filter(col("iou").is_not_nan() & (col("iou") >= match_iou))
    return near.sort("box", "iou", "target", descending=[False, True, False]).collect()


def _finders(pairs: DataFrame) -> dict[int, int]:
    """Object: the box that finds it; each box takes its best object that is still free."""
    finder, spent = {}, set()
    for box, target in pairs.select("box", "target").iter_rows():
        if box not in spent and target not in finder:
            finder[target] = box
            spent.add(box)
    return finder
