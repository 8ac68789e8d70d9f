"""Why objects are missed, and what a lower threshold would bring."""

import pytest

from diagnosis import STAGES
from diagnosis.survey.answers import reasons, rescue
from tests.diagnosis.survey.frames import a_survey


def test_the_most_frequent_reason_comes_first():
    stages = ["confidence", "localisation", "suppressed", "localisation", "ceiling"]
    survey = a_survey([{"stage": stage} for stage in stages] + [{"found": True}])
    found = reasons(survey)
    assert found.columns == ["stage", "count", "share", "reason"]
    assert found.select("stage", "count", "share").rows() == [
        ("localisation", 2, 0.4),
        ("ceiling", 1, 0.2),
        ("confidence", 1, 0.2),
        ("suppressed", 1, 0.2),
    ]
    assert found["reason"].to_list() == [STAGES[stage] for stage in found["stage"]]


def test_reasons_are_ranked_within_each_group():
    rows = [("P5", "ceiling"), ("P3", "confidence"), ("P3", "confidence"), ("P3", "localisation")]
    survey = a_survey([{"level_name": level, "stage": stage} for level, stage in rows])
    found = reasons(survey, "level_name").drop("reason")
    assert found.rows() == [
        ("P3", "confidence", 2, pytest.approx(2 / 3)),
        ("P3", "localisation", 1, pytest.approx(1 / 3)),
        ("P5", "ceiling", 1, 1.0),
    ]


IMAGE = {"number": 0, "gain": 0.5, "pad_x": 10.0, "pad_y": 20.0, "width": 400, "height": 400}
FIRST, SECOND, THIRD = (20, 20, 60, 60), (200, 200, 300, 300), (100, 20, 140, 60)  # px of the original
INPUT = {FIRST: (20, 30, 40, 50), SECOND: (110, 120, 160, 170), THIRD: (60, 30, 80, 50)}  # original * 0.5 + (10, 20)


def weak_survey(evaluation):
    objects = [{"box": FIRST}, {"box": SECOND, "stage": "localisation"}, {"box": THIRD}]
    return a_survey(objects, images=[IMAGE], evaluation=evaluation)


def test_lower_thresholds_find_objects_at_a_cost():
    evaluation = [
        {"anchor": 0, "confidence": 0.9, "box": (0, 300, 20, 320)},  # wrong, and there already
        {"anchor": 1, "confidence": 0.2, "box": INPUT[FIRST]},
        {"anchor": 2, "confidence": 0.15, "box": INPUT[FIRST]},  # a second one finds nothing
        {"anchor": 3, "confidence": 0.12, "box": INPUT[SECOND]},  # found, but it was not missed for its confidence
        {"anchor": 4, "confidence": 0.06, "box": INPUT[THIRD], "class_id": 1},  # of another class
        {"anchor": 5, "confidence": 0.04, "box": INPUT[THIRD]},
        {"anchor": 5, "confidence": 0.03, "box": INPUT[THIRD], "class_id": 2},  # a second label of the same box
        {"anchor": 6, "confidence": 0.2, "box": INPUT[THIRD], "variant": 0},  # of the model with P3 muted
        {"anchor": 7, "confidence": 0.2, "box": INPUT[THIRD], "cut": True},  # beyond max_det
    ]
    found = rescue(weak_survey(evaluation), [0.02, 0.1, 0.22])
    columns = ["conf", "missed", "rescued", "share", "false_positives", "cost", "found", "detections"]
    assert found.columns == columns
    assert found.rows() == [
        (0.22, 2, 0, 0.0, 0, None, 0, 1),
        (0.1, 2, 1, 0.5, 1, 1.0, 2, 4),
        (0.02, 2, 2, 1.0, 2, 1.0, 3, 6),
    ]
    assert rescue(weak_survey(evaluation), 0.1).rows() == found.rows()[1:2]


def test_a_box_must_be_above_the_threshold_in_the_precision_of_scores():
    survey = weak_survey([{"anchor": 1, "confidence": 0.1, "box": INPUT[FIRST]}])
    assert rescue(survey, 0.1)["rescued"].to_list() == [0]
    assert rescue(survey, 0.0999)["rescued"].to_list() == [1]


def test_the_likeliest_label_speaks_for_a_box():
    rows = [{"confidence": 0.2, "box": INPUT[FIRST]}, {"confidence": 0.21, "box": INPUT[FIRST], "class_id": 1}]
    assert rescue(weak_survey(rows), 0.1)["rescued"].to_list() == [0]


def test_boxes_are_clipped_to_the_image_as_at_the_working_point():
    edge = (0, 0, 40, 40)  # (10, 20, 30, 40) in the input: the image begins at (10, 20)
    survey = a_survey([{"box": edge}], images=[IMAGE], evaluation=[{"confidence": 0.2, "box": (-60, 20, 30, 40)}])
    assert rescue(survey, 0.1)["rescued"].to_list() == [1]


def test_confident_boxes_choose_first_each_its_best_free_object():
    near = (24, 20, 64, 60)  # IoU 36 / 44 = 0.82 with the first object
    survey = a_survey(
        [{"box": FIRST}, {"box": near}],
        evaluation=[{"anchor": 1, "confidence": 0.2, "box": FIRST}, {"anchor": 2, "confidence": 0.1, "box": FIRST}],
    )
    found = rescue(survey, [0.15, 0.05])
    assert found["rescued"].to_list() == [1, 2]
    assert found["false_positives"].to_list() == [0, 0]


def test_a_box_leaves_an_object_that_it_fits_less_to_others():
    upper, lower = (0, 0, 100, 100), (0, 25, 100, 125)
    boxes = [lower, (0, 0, 100, 80)]  # IoU 1 and 0.6 with the two; 0.8 with the upper one alone
    rows = [{"anchor": i, "confidence": 0.2 - i / 10, "box": box} for i, box in enumerate(boxes)]
    found = rescue(a_survey([{"box": upper}, {"box": lower}], evaluation=rows), 0.05)
    assert found.select("rescued", "false_positives").row(0) == (2, 0)


@pytest.mark.parametrize("conf", [0.25, 0.3, 0.0001, [0.1, 0.9]])
def test_thresholds_lie_below_the_survey_s(conf):
    with pytest.raises(ValueError, match=r"from 0\.001 to below the survey's own threshold of 0\.25"):
        rescue(weak_survey([]), conf)
    with pytest.raises(TypeError, match="conf must be a number"):
        rescue(weak_survey([]), "low")
