"""Shares of objects found and of detections that are right, with their intervals."""

import pytest

from diagnosis.surveys.answers import precision, recall
from tests.diagnosis.surveys.frames import a_survey

SMALL, MEDIUM, LARGE = (0, 0, 20, 20), (0, 0, 50, 50), (0, 0, 200, 200)


def test_recall_of_all_objects_with_wilson_s_interval():
    survey = a_survey([{"found": i < 8} for i in range(10)])
    row = recall(survey).row(0, named=True)
    assert (row["objects"], row["found"], row["recall"]) == (10, 8, 0.8)
    assert (row["low"], row["high"]) == pytest.approx((0.4902, 0.9433), abs=5e-5)


@pytest.mark.parametrize(("found", "ends"), [(0, (0, 0.2775)), (10, (0.7225, 1))])
def test_the_interval_stays_within_0_and_1(found, ends):
    survey = a_survey([{"found": i < found} for i in range(10)])
    assert recall(survey).select("low", "high").row(0) == pytest.approx(ends, abs=5e-5)


def test_sizes_and_levels_come_in_their_natural_order():
    boxes = [LARGE, SMALL, MEDIUM]
    rows = [{"box": box, "level_name": level, "found": level == "P5"} for box in boxes for level in ("P5", "P10")]
    survey = a_survey(rows, strides={"P5": 32.0, "P10": 1024.0})
    found = recall(survey, "size", "level_name").select("size", "level_name", "recall").rows()
    names = [("small", "P5"), ("small", "P10"), ("medium", "P5"), ("medium", "P10"), ("large", "P5"), ("large", "P10")]
    assert found == [(*name, float(name[1] == "P5")) for name in names]


def test_classes_come_in_the_order_of_their_ids():
    survey = a_survey([{"class_name": name} for name in ("bird", "cat", "dog", "dog")])
    assert recall(survey, "class_name").select("class_name", "objects").rows() == [("cat", 1), ("dog", 2), ("bird", 1)]


def test_a_missed_object_counts_for_the_level_of_its_best_candidate():
    survey = a_survey([{"level_name": "P4", "found": True}, {"level_name": "P4"}, {"level_name": "P3"}])
    assert recall(survey, "level_name").select("level_name", "found", "objects").rows() == [("P3", 0, 1), ("P4", 1, 2)]


def test_sizes_in_strides_are_binned_an_edge_belongs_above():
    survey = a_survey([{"size_strides": size} for size in (30.0, 0.5, 1.0, 1.99, 2.0, 16.0)])
    assert recall(survey, "size_strides").select("size_strides", "objects").rows() == [
        ("below 1", 1),
        ("1 to 2", 2),
        ("2 to 4", 1),
        ("from 16", 2),
    ]


def test_precision_by_level_and_the_share_of_all_that_is_right():
    levels = {"P3": (3, 1), "P4": (1, 0), "P5": (0, 2)}  # right and wrong
    rows = [{"level_name": name} for name, (right, _) in levels.items() for _ in range(right)]
    rows += [{"level_name": name, "error": "background"} for name, (_, wrong) in levels.items() for _ in range(wrong)]
    found = precision(a_survey(detections=rows), "level_name")
    told = found.select("level_name", "detections", "correct", "precision", "share").rows()
    assert told == [("P3", 4, 3, 0.75, 0.75), ("P4", 1, 1, 1.0, 0.25), ("P5", 2, 0, 0.0, 0.0)]
    assert found.row(0, named=True)["low"] == pytest.approx(0.3006, abs=5e-5)
    assert found.row(0, named=True)["high"] == pytest.approx(0.9544, abs=5e-5)


def test_no_share_where_nothing_is_right():
    assert precision(a_survey(detections=[{"error": "both"}]))["share"].to_list() == [None]


def test_precision_by_confidence_in_tenths():
    rows = [{"confidence": 0.95}, {"confidence": 0.3, "error": "background"}, {"confidence": 0.39}]
    found = precision(a_survey(detections=rows), "confidence").select("confidence", "precision").rows()
    assert found == [("0.3 to 0.4", 0.5), ("from 0.9", 1.0)]
