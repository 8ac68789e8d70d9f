"""Scores by both rules on cases worked out by hand, and the two engines of COCO's rules against each other."""

import math
import sys
import warnings

import numpy as np
import pytest

from diagnosis.surveys.evaluation import CONVENTIONS, scores, scores_by_class
from diagnosis.surveys.evaluation.coco import ENGINES
from diagnosis.surveys.evaluation.scoreboard import COCO_SCORES, SCORES
from tests.diagnosis.surveys.evaluation.by_hand import a_set

BOX = (10, 10, 60, 60)  # 50² px: medium
LARGE = (0, 0, 100, 97)
SMALL = (0, 0, 20, 20)
each_engine = pytest.mark.parametrize("engine", ENGINES)


def shifted(iou, box=BOX):
    """A box as large, moved to the right until it overlaps by so much."""
    x1, y1, x2, y2 = box
    step = (x2 - x1) * (1 - iou) / (1 + iou)
    return (x1 + step, y1, x2 + step, y2)


@each_engine
def test_a_perfect_detection_scores_one_by_coco_and_nearly_one_by_ultralytics(engine):
    found = scores(a_set([(0, 0, BOX)], [(0, 0, 0.9, BOX)]), engine=engine)
    assert tuple(found) == SCORES
    assert [found[name] for name in ("AP", "AP50", "AP75", "APm")] == pytest.approx([1, 1, 1, 1])
    # the precision falls to 0 at recall 1, and the last trapezium of the 100 is half as large
    assert [found["mAP50"], found["mAP50_95"]] == pytest.approx([0.995, 0.995])
    assert math.isnan(found["APs"])
    assert math.isnan(found["APl"])


@each_engine
def test_half_of_the_objects_found(engine):
    found = scores(a_set([(0, 0, BOX), (0, 0, SMALL)], [(0, 0, 0.9, BOX)]), engine=engine)
    assert found["AP"] == pytest.approx(51 / 101)  # recalls 0, 0.01 … 0.5 of 101
    assert found["mAP50"] == pytest.approx(0.495)  # 49 full trapezia, and one that falls to 0 at recall 0.5
    assert (found["APs"], found["APm"]) == pytest.approx((0, 1))


@each_engine
def test_a_box_counts_at_the_thresholds_that_it_overlaps_enough_for(engine):
    found = scores(a_set([(0, 0, BOX)], [(0, 0, 0.9, shifted(0.62))]), engine=engine)
    assert (found["AP50"], found["AP75"]) == pytest.approx((1, 0))
    assert found["AP"] == pytest.approx(0.3)
    assert found["mAP50_95"] == pytest.approx(0.3 * 0.995)


@each_engine
def test_coco_clips_boxes_to_the_image_and_ultralytics_does_not(engine):
    found = scores(a_set([(0, 0, (0, 0, 40, 40))], [(0, 0, 0.9, (-30, 0, 40, 40))]), engine=engine)
    assert found["AP"] == pytest.approx(1)
    assert found["mAP50_95"] == pytest.approx(0.2 * 0.995)  # IoU 4 / 7


@each_engine
def test_coco_takes_a_hundred_of_a_class_and_ultralytics_all(engine):
    wrong = [(0, 0, 0.9 - index / 1000, SMALL) for index in range(100)]
    last = [(0, 0, 0.1, BOX)]
    assert scores(a_set([(0, 0, BOX)], wrong + last), engine=engine)["AP"] == 0
    found = scores(a_set([(0, 0, BOX)], wrong[:99] + last), engine=engine)
    assert found["AP"] == pytest.approx(0.01)
    assert found["mAP50"] == pytest.approx(0.01, rel=0.02)
    assert scores(a_set([(0, 0, BOX)], wrong + last), engine=engine)["mAP50"] > 0.009
    of_others = [(0, 1, confidence, box) for _, _, confidence, box in wrong]
    assert scores(a_set([(0, 0, BOX)], of_others + last), engine=engine)["AP"] == pytest.approx(1)


@each_engine
def test_input_pixels_are_taken_back_to_the_original(engine):
    survey = a_set([(0, 0, BOX)], [(0, 0, 0.9, BOX)], gain=2.0, pad=7.0)
    found = scores(survey, engine=engine)
    assert (found["AP"], found["APm"], found["mAP50_95"]) == pytest.approx((1, 1, 0.995))


def test_labels_go_to_the_input_by_the_gain_of_each_axis_where_the_survey_has_it():
    narrow = (10, 0, 50, 60)
    stretched = (15, 0, 75, 60)  # where the network sees it: x by 1.5
    survey = a_set([(0, 0, narrow)], [(0, 0, 0.9, stretched)], gain_x=1.5, gain_y=1.0)
    assert scores(survey)["mAP50_95"] == pytest.approx(0.995)
    assert scores(a_set([(0, 0, narrow)], [(0, 0, 0.9, stretched)]))["mAP50_95"] < 0.2


@each_engine
def test_classes_keep_their_ids_and_those_without_labels_count_for_nothing(engine):
    names = {2: "cat", 5: "dog", 7: "bird"}
    found = [(0, 5, 0.9, BOX), (0, 7, 0.9, BOX)]
    survey = a_set([(0, 5, BOX), (1, 2, LARGE)], found, images=2, names=names)
    frame = scores_by_class(survey, engine=engine)
    assert frame["class_id"].to_list() == [2, 5, 7]
    assert frame["class_name"].to_list() == ["cat", "dog", "bird"]
    assert frame["objects"].to_list() == [1, 1, 0]
    assert frame["AP"].to_list() == pytest.approx([0, 1, math.nan], nan_ok=True)
    assert frame["APl"].to_list() == pytest.approx([0, math.nan, math.nan], nan_ok=True)
    assert frame["mAP50"].to_list() == pytest.approx([0, 0.995, math.nan], nan_ok=True)
    total = scores(survey, engine=engine)
    assert (total["AP"], total["mAP50"]) == pytest.approx((0.5, 0.995 / 2))


@each_engine
@pytest.mark.parametrize("found", [[], [(0, 1, 0.9, BOX)]])
def test_a_survey_that_found_nothing_of_its_labels_scores_zero(engine, found):
    answer = scores(a_set([(0, 0, BOX)], found), engine=engine)
    assert (answer["AP"], answer["mAP50_95"]) == (0, 0)


@each_engine
def test_without_an_object_all_scores_are_nan_and_nothing_warns(engine):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = scores(a_set([], [(0, 0, 0.9, BOX)]), engine=engine)
    assert all(math.isnan(value) for value in answer.values())


@pytest.mark.parametrize("seed", range(4))
def test_the_engines_agree(seed):
    rng = np.random.default_rng(seed)
    count = 60

    def boxes(count):
        corner = rng.uniform(0, 300, (count, 2))
        return np.concatenate((corner, corner + rng.uniform(5, 150, (count, 2))), 1)

    truth = boxes(count)
    near = np.repeat(truth, 8, 0) + rng.normal(0, 5, (8 * count, 4))
    image, class_id = rng.integers(0, 5, count), rng.integers(0, 3, count)
    labels = list(zip(image.tolist(), class_id.tolist(), truth.tolist(), strict=True))
    owners = np.repeat(np.arange(count), 8)
    confidence = rng.uniform(0, 1, 8 * count).round(2)  # with ties
    guess = np.where(rng.uniform(size=8 * count) < 0.8, class_id[owners], rng.integers(0, 3, 8 * count))
    found = list(zip(image[owners].tolist(), guess.tolist(), confidence.tolist(), near.tolist(), strict=True))
    survey = a_set(labels, found, images=5, names="abc", size=(400, 400))
    first, second = (scores_by_class(survey, engine=engine).select(COCO_SCORES).to_numpy() for engine in ENGINES)
    assert np.nanmean(first) > 0.2
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-9)


@each_engine
def test_a_missing_engine_says_what_to_install(engine, monkeypatch):
    monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(ImportError, match=rf"{engine}.*pip install \"detector-workbench\[survey\]\""):
        scores(a_set([(0, 0, BOX)]), engine=engine)


def test_an_unknown_engine_is_refused():
    with pytest.raises(ValueError, match="engine must be one of hotcoco, faster_coco_eval, but 'pycocotools'"):
        scores(a_set([(0, 0, BOX)]), engine="pycocotools")


def test_a_survey_without_labels_has_no_scores():
    survey = a_set([], [(0, 0, 0.9, BOX)])
    object.__setattr__(survey, "truth", False)
    with pytest.raises(ValueError, match="Scores need labels"):
        scores(survey)


def test_the_conventions_name_every_score():
    assert [name for name in SCORES if name not in CONVENTIONS] == []
