"""Confidence against the share of detections that are right."""

import pytest

from diagnosis.surveys.answers import calibration, calibration_error
from tests.diagnosis.surveys.frames import a_survey

ROWS = [
    {"level_name": "P4", "confidence": 0.92},
    {"level_name": "P4", "confidence": 0.98, "error": "both"},
    {"level_name": "P3", "confidence": 0.31},
    {"level_name": "P3", "confidence": 0.33, "error": "background"},
    {"level_name": "P3", "confidence": 0.35, "error": "background"},
    {"level_name": "P3", "confidence": 0.37, "error": "background"},
    {"level_name": "P3", "confidence": 1.0},
]


def test_bins_by_level():
    found = calibration(a_survey(detections=ROWS))
    assert found.columns == ["level_name", "bin", "lower", "upper", "confidence", "correct", "count"]
    assert found.select("level_name", "bin", "correct", "count").rows() == [
        ("P3", 3, 0.25, 4),
        ("P3", 9, 1.0, 1),
        ("P4", 9, 0.5, 2),
    ]
    assert found["confidence"].to_list() == pytest.approx([0.34, 1.0, 0.95])
    assert found.select("lower", "upper").row(0) == pytest.approx((0.3, 0.4))


def test_bins_of_everything_and_another_number_of_them():
    found = calibration(a_survey(detections=ROWS), "all", bins=2)
    assert found.select("bin", "count").rows() == [(0, 4), (1, 3)]
    assert found["correct"].to_list() == pytest.approx([0.25, 2 / 3])


def test_the_error_is_the_mean_distance_weighted_by_detections():
    found = calibration_error(a_survey(detections=ROWS, conf=0.3))
    assert found.columns == ["level_name", "detections", "confidence", "precision", "error", "conf"]
    assert found.select("level_name", "detections", "conf").rows() == [("P3", 5, 0.3), ("P4", 2, 0.3)]
    assert found["error"].to_list() == pytest.approx([4 / 5 * 0.09, 0.45])
    assert found["precision"].to_list() == pytest.approx([0.4, 0.5])
    assert found["confidence"].to_list() == pytest.approx([2.36 / 5, 0.95])


def test_distances_that_have_two_signs_do_not_cancel():
    rows = [{"confidence": 0.5, "error": "both"}, {"confidence": 0.8}]
    assert calibration_error(a_survey(detections=rows), "all")["error"].to_list() == pytest.approx([0.35])


def test_the_number_of_bins_is_checked():
    with pytest.raises(ValueError, match="bins must be at least 1, but 0 was given"):
        calibration(a_survey(detections=ROWS), bins=0)
    with pytest.raises(TypeError, match="bins must be a whole number"):
        calibration_error(a_survey(detections=ROWS), bins=2.5)
