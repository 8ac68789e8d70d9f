"""The table of images of a survey's page: mistakes, problems of labels, and what could not be read."""

from pathlib import Path
from typing import Any

import polars
from polars import col

from .cells import Cell, Table, number, plain

IMAGES = 5_000  # rows of the table, at most


def image_table(survey: Any) -> Table:
    """One row an image: those that were not read first, then those with most mistakes."""
    wrong = survey.detections.filter(~col("correct")).group_by("number").agg(polars.len().alias("wrong"))
    frame = survey.images.join(wrong, on="number", how="left", maintain_order="left").with_columns(
        col("wrong").fill_null(0)
    )
    missed = (col("objects") - col("found")).alias("missed")
    frame = frame.with_columns(missed).sort(
        col("error").is_null(), -(col("missed") + col("wrong")), maintain_order=True
    )
    rows = tuple(_image(row) for row in frame.head(IMAGES).collect().iter_rows(named=True))
    headings = (
        ("image", False),
        *((name, True) for name in ("objects", "missed", "detections", "wrong", "label problems")),
        ("not read because", False),
    )
    total = survey.images.select(polars.len()).collect().item()
    note = "Those with most mistakes come first." + (f" The first {IMAGES} of {total}." if total > IMAGES else "")
    return Table("images", "Images", note, headings, rows)


def _image(row: dict[str, Any]) -> tuple[Cell, ...]:
    here = {"number": row["number"]}
    name = Cell(Path(row["image"]).name, where=None if row["error"] else here, table="images")
    return (
        name,
        number(row["objects"], here),
        number(row["missed"], here | {"found": False}),
        number(row["detections"], here, "detections"),
        number(row["wrong"], here | {"correct": False}, "detections"),
        plain(row["label_problems"], "{:.0f}"),
        Cell(row["error"] or ""),
    )
