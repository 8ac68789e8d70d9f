"""The table of a report: safe to open in a spreadsheet as CSV, and as it is in Parquet."""

import csv
import re

import polars as pl
import pytest

import viz
from viz.reports.table import neutral

QUICK = {"formats": "png", "figures": "distribution", "best": 0, "progress": False}  # the table alone
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "'=1", "", "a\nb", 'say "x", y', "plain"]


@pytest.mark.parametrize("name", FORMULAS)
def test_cells_that_a_spreadsheet_would_run_are_text_in_csv_and_raw_in_parquet(stage, hot, tmp_path, name):
    trace = stage((96, 128), [hot(0, 2, 3), hot(2, 1, 2, 1)])
    trace.names = {0: name, 1: "cat", 2: "dog"}
    trace.path = f"{name}.jpg"
    place = viz.report(trace, tmp_path / "out", **QUICK)
    with (place / "detections.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    told = f"'{name}" if name[:1] in tuple("=+-@\t\r\n＝") and name else name
    assert {row["class_name"] for row in rows} == {told, "cat"}
    assert {row["path"] for row in rows} == {f"{told}.jpg"}
    assert all(cell[:1] not in ("=", "+", "@", "\t", "\r") for row in rows for cell in row.values())
    assert all(re.fullmatch(r"-?[\d.e-]+", row[column]) for row in rows for column in ("x1", "center_x", "anchor"))
    table = pl.read_parquet(place / "detections.parquet")
    assert set(table["class_name"]) == {name, "cat"} and set(table["path"]) == {f"{name}.jpg"}
    assert not (place / ".table").exists()


def test_names_of_columns_are_made_safe_and_numbers_are_left():
    frame = pl.DataFrame({"=A1": [-1.5, 2.0], "name": ["-x", None]})
    assert neutral(frame).to_dict(as_series=False) == {"'=A1": [-1.5, 2.0], "name": ["'-x", None]}
