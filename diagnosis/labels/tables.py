"""The columns of the label doctor's tables."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polars import DataFrame

READINGS = {
    "split": str,
    "reading": str,  # in words
    "codes": str,  # its departures, joined by " + "; "" as written
    "model_fit": float,  # mean over the images of the fit to what the model sees, 0 to 1; null without a model
    "model_se": float,  # standard error of its difference to "as written", over images
    "edge_fit": float,  # mean over the images of the edges along the boxes against the ring around them
    "edge_se": float,
    "files": int,  # images that it was weighed on
}
SUSPECTS = {
    "split": str,
    "image": str,
    "line": int,  # of the label file, from 1; null for an object that the labels lack
    "kind": str,  # "lacking" | "class" | "loose"
    "class_name": str,  # as labelled; of a lacking object as the model has it
    "other": str,  # the class that the model sees
    "confidence": float,
    "iou": float,
    "x1": float,  # px of the image
    "y1": float,
    "x2": float,
    "y2": float,
    "score": float,  # the rank's measure, the worst first
}
PROBLEMS = {"split": str, "path": str, "line": int, "code": str, "message": str}


def reading_rows(rows: Iterable[Mapping[str, Any]] = ()) -> "DataFrame":
    """The table of hypotheses, one row each."""
    return _frame(rows, READINGS)


def suspect_rows(rows: Iterable[Mapping[str, Any]] = ()) -> "DataFrame":
    """The table of suspects, one row an object."""
    return _frame(rows, SUSPECTS)


def problem_rows(rows: Iterable[Mapping[str, Any]] = ()) -> "DataFrame":
    """The table of problems of the files."""
    return _frame(rows, PROBLEMS)


def _frame(rows: Iterable[Mapping[str, Any]], schema: Mapping[str, type]) -> "DataFrame":
    import polars

    return polars.DataFrame(list(rows), schema=dict(schema), orient="row")
