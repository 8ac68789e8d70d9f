"""What every answer refuses, and what it says of empty tables."""

import pytest

from diagnosis.surveys import answers
from tests.diagnosis.surveys.frames import a_survey

BY = [
    answers.recall,
    answers.precision,
    answers.calibration,
    answers.calibration_error,
    answers.errors,
    answers.reasons,
]
COLUMNS = {
    answers.recall: ["objects", "found", "recall", "low", "high"],
    answers.precision: ["detections", "correct", "precision", "low", "high", "share"],
    answers.calibration: ["bin", "lower", "upper", "confidence", "correct", "count"],
    answers.calibration_error: ["detections", "confidence", "precision", "error", "conf"],
    answers.errors: ["error", "count", "share"],
    answers.reasons: ["stage", "count", "share", "reason"],
}


@pytest.mark.parametrize("ask", BY, ids=lambda ask: ask.__name__)
@pytest.mark.parametrize("by", [("all",), ("level_name",), ("class_name", "level_name")], ids=len)
def test_empty_tables_give_empty_frames_with_the_right_columns(ask, by):
    found = ask(a_survey(images=2), *by)
    assert found.columns == [*(name for name in by if name != "all"), *COLUMNS[ask]]
    assert found.is_empty()


def test_empty_tables_give_empty_frames_elsewhere_too():
    assert answers.duplicates(a_survey()).columns == ["level_name", "found_by", "count", "share"]
    assert answers.rescue(a_survey(), [0.1, 0.2]).is_empty()
    assert answers.rescue(a_survey(), []).is_empty()


@pytest.mark.parametrize("ask", BY, ids=lambda ask: ask.__name__)
@pytest.mark.parametrize("name", ["colour", 3, "candidates", "x1"])
def test_what_is_no_column_is_refused_and_the_columns_are_listed(ask, name):
    with pytest.raises(ValueError, match=rf"{ask.__name__} groups by columns of \[.*'level_name'.*\], but {name!r}"):
        ask(a_survey(), name)


@pytest.mark.parametrize(
    ("ask", "name"), [(answers.recall, "found"), (answers.precision, "correct"), (answers.reasons, "stage")]
)
def test_a_column_of_the_answer_itself_is_refused(ask, name):
    with pytest.raises(ValueError, match=f"but '{name}'"):
        ask(a_survey(), name)


def test_a_column_is_named_once():
    with pytest.raises(ValueError, match="each column once"):
        answers.recall(a_survey(), "size", "size")


@pytest.mark.parametrize("ask", [*BY, answers.duplicates], ids=lambda ask: ask.__name__)
def test_what_needs_labels_says_so(ask):
    with pytest.raises(ValueError, match=f"{ask.__name__}.* needs labelled objects.*without labels"):
        ask(a_survey(truth=False))


def test_rescue_and_compare_need_labels():
    with pytest.raises(ValueError, match="rescue needs labelled objects"):
        answers.rescue(a_survey(truth=False), 0.1)
    with pytest.raises(ValueError, match="compare needs labelled objects"):
        answers.compare(a_survey(), a_survey(truth=False))
