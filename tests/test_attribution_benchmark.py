"""The benchmark of maps: which boxes it takes, and what its table says of records."""

import numpy as np
import pytest

from benchmarks.attribution_boxes import photographs, size_of
from benchmarks.attribution_table import table


@pytest.mark.parametrize(("side", "size"), [(31, "small"), (32, "medium"), (95, "medium"), (96, "large")])
def test_sizes_are_those_of_coco(side, size):
    assert size_of(np.array([10.0, 20, 10 + side, 20 + side])) == size


def test_a_folder_without_photographs_is_refused(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(ValueError, match="must hold photographs"):
        photographs(tmp_path)
    (tmp_path / "b.jpg").touch()
    assert [path.name for path in photographs(tmp_path)] == ["b.jpg"]


def record(mean, blur, size="small", **more):
    kept = {"mean": mean, "blur": blur, "whole": 0.5, "pointing": 1, "energy": 0.5, "size": size}
    return kept | {"predicts": 8.0, "seconds": 1.0} | more


def test_the_table_by_hand():
    tests = {"passes": True, "class_row": 0.2, "all_weights": 0.1, "threshold": 0.5, "shuffled": 0.3, "odexai": 0.7}
    records = {
        "default": {"a": record(0.8, 0.6, **tests), "b": record(0.6, 0.8, "large")},
        "box fill": {"a": record(0.6, 0.6), "b": record(0.5, 0.7, "large")},
    }
    head, _, default, fill = table(records)
    cells = [cell.strip() for cell in default.strip("|").split("|")]
    named = dict(zip([cell.strip() for cell in head.strip("|").split("|")], cells, strict=True))
    assert cells[1] == "0.700 ± 0.100"  # deviation √0.02, divided by √2
    assert cells[2] == "+0.150 ± 0.050" and cells[4] == "+0.050 ± 0.050"  # paired by box: 0.2, 0.1 and 0, 0.1
    assert (named["small"], named["medium"], named["large"]) == ("0.80 / 0.60", "", "0.60 / 0.80")
    assert named["absolute"] == "0.35" and named["ODExAI's OA"] == "0.70 (1)"
    assert named["all weights shuffled"] == "0.80 → 0.30 (1)"
    assert named["randomization"] == "1 of 1: ρ 0.20, 0.10 of 0.50"
    blank = table({"default": {"a": record(0.8, 0.6, **tests, gone=True), "b": record(0.8, 0.6, **tests)}})[-1]
    assert "| 2 of 2, 1 of them blank: ρ 0.20, 0.10 of 0.50 |" in blank
    assert named["predicts a box"] == "8.0" and named["boxes"] == "2"
    assert fill.split("|")[3].strip() == ""
