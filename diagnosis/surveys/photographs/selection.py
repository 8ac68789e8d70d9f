"""Rows of a survey's tables by what the caller asks, worst first, and each of them in words."""

from collections.abc import Mapping
from typing import Any

import polars

from ...objects.missed import STAGES
from ..tables import SurveyTables

Where = polars.Expr | Mapping[str, Any] | str | None
"""Which rows: a polars expression, a mapping from columns to a value or a list of them, SQL-like text, None for all."""
WORDS = {  # of the kinds of errors
    "classification": "wrong class",
    "localisation": "box does not fit",
    "both": "class and box wrong",
    "duplicate": "found twice",
    "background": "nothing there",
    "missed": "missed",
}
TABLES = ("objects", "detections", "images")


def select(survey: SurveyTables, where: Where = None, table: str = "objects") -> polars.LazyFrame:
    """The rows of a table that fit, worst first.

    Objects: the missed before the found, the lowest IoU first. Detections: the wrong before the others, the most
    confident first. Images: those not read, then by how many objects were missed. Equal rows stay in the order of the
    set. Raises ValueError for an unknown table or column and for text that polars cannot read.
    """
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(map(repr, TABLES))}, but {table!r} was given.")
    frame: polars.LazyFrame = getattr(survey, table)
    kept = _filtered(frame, where)
    worst = {
        "objects": (polars.col("found"), polars.col("iou")),
        "detections": (polars.col("correct").fill_null(True), -polars.col("confidence")),
        "images": (polars.col("error").is_null(), polars.col("found") - polars.col("objects")),
    }[table]
    return kept.sort(*worst, maintain_order=True, nulls_last=True)


def caption(row: Mapping[str, Any], table: str = "objects") -> str:
    """One row in words: "P3 (12, 40) person 0.31, missed: not confident enough"."""
    if table == "images":
        return f"{row['objects']} objects, {row['found']} found, {row['detections']} detections"
    head = f"{row['level_name']} ({row['row']}, {row['col']}) {row['class_name']} {_told(row['confidence'])}"
    return f"{head}{_of_object(row) if table == 'objects' else _of_detection(row)}"


def _told(score: float) -> str:
    """A score with two decimals, or with three where these would be zeros."""
    if score < 0.001:
        return "<0.001"
    return f"{score:.2f}" if score >= 0.01 else f"{score:.3f}"


def _of_object(row: Mapping[str, Any]) -> str:
    cut = ", beyond its level's ceiling" * bool(row["ceiling"])
    if row["found"]:
        return f", found: IoU {row['iou']:.2f}{cut}"
    why = STAGES.get(row["stage"], row["stage"])
    if row["stage"] == "wrong_class":
        why = f"{why} ({row['top_class_name']} {row['top_score']:.2f})"
    return f", missed: {why}" + cut * (row["stage"] != "ceiling")


def _of_detection(row: Mapping[str, Any]) -> str:
    cut = ", cut by its level's ceiling" * bool(row.get("cut"))
    if row["correct"] is None:
        return cut
    if row["correct"]:
        return f", correct: IoU {row['iou']:.2f}{cut}"
    return f", {WORDS[row['error']]}" + (f" (IoU {row['iou']:.2f})" if row["iou"] else "") + cut


def _filtered(frame: polars.LazyFrame, where: Where) -> polars.LazyFrame:
    """The rows of a frame that fit, with every mistake of ``where`` told at once."""
    if where is None:
        return frame
    try:
        kinds = frame.select(_expression(where)).collect_schema().dtypes()
        if any(kind != polars.Boolean for kind in kinds):
            raise polars.exceptions.SchemaError(f"it is {kinds[0]}, not Boolean")
        kept = frame.filter(_expression(where))
        kept.head(0).collect()
    except polars.exceptions.PolarsError as error:
        given = str(where) if isinstance(where, polars.Expr) else repr(where)
        raise ValueError(
            f"where must say of each row whether it fits, but {given} does not: {str(error).splitlines()[0]}. The "
            f"columns are {', '.join(frame.collect_schema().names())}."
        ) from error
    return kept


def _expression(where: Where) -> polars.Expr:
    if isinstance(where, polars.Expr):
        return where
    if isinstance(where, str):
        return polars.sql_expr(where)
    if isinstance(where, Mapping):
        return polars.all_horizontal(polars.lit(True), *(_fits(name, value) for name, value in where.items()))
    raise ValueError(
        "where must be a polars expression, a mapping from columns to values, SQL-like text or None, but "
        f"{type(where).__name__} was given."
    )


def _fits(name: str, value: Any) -> polars.Expr:
    """Whether a column has this value, or one of a list of them; None is a value as well."""
    values = list(value) if isinstance(value, list | tuple | set | frozenset) else [value]
    held = [polars.col(name).eq_missing(each) for each in values]
    return polars.any_horizontal(polars.lit(False), *held)
