"""The tables of a survey as CSV, for people and spreadsheets."""

from pathlib import Path

from polars import DataFrame, LazyFrame

from anatomy.archive.whole import write_whole

from ..spreadsheet import neutral
from ..tables import SurveyTables


def to_csv(survey: SurveyTables, folder: str | Path) -> tuple[Path, ...]:
    """Write ``images.csv``, ``objects.csv``, ``detections.csv`` and ``candidates.csv``; returns their paths.

    The folder is made where it is missing; each file is written whole or not at all. ``candidates`` of the objects, one
    a level, are a table of their own, as CSV knows no lists. Text that a spreadsheet would take for a formula begins
    with an apostrophe.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "images": survey.images,
        "objects": survey.objects.drop("candidates"),
        "detections": survey.detections,
        "candidates": _candidates(survey.objects),
    }
    return tuple(_write(folder / f"{name}.csv", neutral(frame.collect())) for name, frame in tables.items())


def _candidates(objects: LazyFrame) -> LazyFrame:
    """One row a candidate, behind the place of its object."""
    listed = objects.select("number", "image", "object", "candidates").explode("candidates")
    return listed.drop_nulls("candidates").unnest("candidates")


def _write(path: Path, frame: DataFrame) -> Path:
    return write_whole(path, frame.write_csv)
