"""Whether two surveys are of the same images and objects."""

import polars
from polars import DataFrame, LazyFrame

from ..tables import SurveyTables

OF_IMAGES = ("number", "image")
OF_OBJECTS = ("number", "image", "object", "class_id", "class_name", "x1", "y1", "x2", "y2")


def check_same_set(before: SurveyTables, after: SurveyTables) -> None:
    """Refuse surveys of two sets (ValueError), by the first difference."""
    _check("images", before.images, after.images, OF_IMAGES)
    _check("objects", before.objects, after.objects, OF_OBJECTS)


def _check(what: str, before: LazyFrame, after: LazyFrame, columns: tuple[str, ...]) -> None:
    """Both tables must say the same in these columns, row by row."""
    first, second = before.select(columns).collect(), after.select(columns).collect()
    common = min(len(first), len(second))
    differs = polars.any_horizontal(polars.col(name).ne_missing(polars.col(f"{name} after")) for name in columns)
    beside = second.head(common).rename(lambda name: f"{name} after")
    rows = polars.concat([first.head(common), beside], how="horizontal").select(differs.arg_true()).to_series()
    at = int(rows[0]) if len(rows) else common
    if at < common or len(first) != len(second):
        raise ValueError(
            f"Two surveys are compared on the same {what}, but they have {len(first)} and {len(second)} and differ "
            f"first at row {at}: {_row(first, at)} and {_row(second, at)}. Survey both models on one data set."
        )


def _row(frame: DataFrame, at: int) -> str:
    """What a row says, in one line."""
    if at >= len(frame):
        return "nothing"
    return ", ".join(f"{name} {value}" for name, value in frame.row(at, named=True).items())
