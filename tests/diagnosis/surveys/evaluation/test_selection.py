"""The rows of an image against Ultralytics' own selection, as the model is and with everything silent that can be."""

import inspect

import numpy as np
import pytest
import torch
from ultralytics.nn.modules.head import Detect
from ultralytics.utils.nms import non_max_suppression
from ultralytics.utils.ops import xywh2xyxy

from diagnosis.surveys.evaluation import evaluation_rows, suppressed, validation_limit
from diagnosis.surveys.evaluation.pairs import read_images, read_pairs
from diagnosis.surveys.evaluation.table import PLAIN, POOL
from diagnosis.surveys.evaluation.variants import Selections
from tests.diagnosis.surveys.evaluation.by_hand import STRIDES, evaluated, prediction

NC = 4
ROWS = [(level, class_id) for level in range(len(STRIDES)) for class_id in range(NC)]


def by_nms(boxes, scores, max_det):
    """(n, 7) what validation keeps and the anchor of each; boxes are given as centre and size."""
    seen = torch.cat((boxes.T, scores))[None]
    kept, anchor = non_max_suppression(
        seen, 0.001, 0.7, multi_label=True, max_det=max_det, max_time_img=600, return_idxs=True
    )
    return torch.cat((kept[0], anchor[0].reshape(-1, 1)), 1).numpy()


def by_top(boxes, scores, max_det):
    head = Detect(nc=len(scores), ch=(16,), end2end=True)
    head.max_det = max_det
    anchors = torch.arange(len(boxes)).float()[:, None]
    kept = head.postprocess(torch.cat((boxes, scores.T, anchors), 1)[None])
    return non_max_suppression(kept, 0.001, max_det=max_det, end2end=True)[0].numpy()


def as_validated(rows, which):
    """The chosen rows in the columns of the validator: xyxy, confidence, class, anchor."""
    return np.column_stack((rows.xyxy, rows.confidence, rows.class_id, rows.anchor))[which]


def silenced(scores, level, of, classes=slice(None)):
    scores = scores.clone()
    scores[classes, level == of] = 0
    return scores


def kept_rows(pairs, kept):
    """(n, 7) as the validator has them, in its order."""
    return np.column_stack((pairs.in_input, pairs.confidence, pairs.class_id, pairs.anchor))[kept]


def test_the_constants_are_ultralytics():
    defaults = inspect.signature(non_max_suppression).parameters
    assert defaults["max_wh"].default == suppressed.CLASS_SHIFT
    assert defaults["max_nms"].default == suppressed.MOST


@pytest.mark.parametrize("max_det", [1, 12, 300])
@pytest.mark.parametrize("seed", range(3))
def test_the_plain_selection_is_that_of_nms_bit_for_bit(seed, max_det):
    boxes, scores, level = prediction(seed)
    sizes = torch.cat(((boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]), 1)
    rows = evaluation_rows(xywh2xyxy(sizes), scores, level, max_det=max_det)
    assert np.array_equal(as_validated(rows, slice(None)), by_nms(sizes, scores, max_det))
    assert np.array_equal(rows.level, level[rows.anchor])
    assert not rows.cut.any()
    assert set(rows.variant) == {PLAIN}


@pytest.mark.parametrize("max_det", [5, 12, 40, 300])
@pytest.mark.parametrize("seed", range(3))
def test_every_variant_is_what_nms_keeps_of_silent_scores(seed, max_det):
    boxes, scores, level = prediction(seed, nc=NC)
    sizes = torch.cat(((boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]), 1)
    rows = evaluation_rows(xywh2xyxy(sizes), scores, level, max_det=max_det, ablation=True)
    survey = evaluated(rows, names=range(NC), side=96, max_det=max_det)
    images = read_images(survey)
    pairs = read_pairs(survey, images)
    selections = Selections(pairs, images, survey.levels, max_det)
    assert np.array_equal(kept_rows(pairs, selections.plain()), by_nms(sizes, scores, max_det))
    for of in range(len(STRIDES)):
        expected = by_nms(sizes, silenced(scores, level, of), max_det)
        assert np.array_equal(kept_rows(pairs, selections.without_level(of)), expected)
        assert np.array_equal(as_validated(rows, (rows.variant == of) & ~rows.cut), expected)
    for of, class_id in ROWS:
        expected = by_nms(sizes, silenced(scores, level, of, class_id), max_det)
        assert np.array_equal(kept_rows(pairs, selections.without_row(of, class_id)), expected)


def test_a_silent_row_lets_boxes_of_other_classes_within_the_cut():
    boxes, scores, level = prediction(0, nc=NC)
    rows = evaluation_rows(boxes, scores, level, max_det=12, ablation=True)
    survey = evaluated(rows, names=range(NC), side=96, max_det=12)
    images = read_images(survey)
    pairs = read_pairs(survey, images)
    selections = Selections(pairs, images, survey.levels, 12)
    entered = selections.without_row(0, 0) & ~selections.plain()
    assert (pairs.class_id[entered] != 0).any()
    assert rows.cut.any()


def test_a_row_that_the_muted_level_cuts_is_kept_for_the_silent_row():
    # without level 0, two boxes of class 1 come free and push that of class 0 out; with class 1 as it is, it fits
    boxes = torch.tensor([(0.0, 0, 100, 100), (0, 15, 100, 115), (0, -15, 100, 85), (0, 0, 100, 100), (0, 0, 100, 99)])
    scores = torch.tensor([(0, 0, 0, 0.6, 0.5), (0.9, 0.8, 0.7, 0, 0)])
    rows = evaluation_rows(boxes, scores, torch.tensor([0, 1, 1, 0, 1]), max_det=2, ablation=True)
    muted = rows.variant == 0
    assert rows.anchor[muted].tolist() == [1, 2, 4]
    assert rows.cut[muted].tolist() == [False, False, True]
    survey = evaluated(rows, names=range(2), side=128, max_det=2)
    images = read_images(survey)
    pairs = read_pairs(survey, images)
    assert pairs.anchor[Selections(pairs, images, survey.levels, 2).without_row(0, 0)].tolist() == [0, 4]


@pytest.mark.parametrize("max_det", [5, 12, 40, 300])
@pytest.mark.parametrize("seed", range(3))
def test_every_variant_of_a_one_to_one_head_is_what_its_top_k_keeps(seed, max_det):
    boxes, scores, level = prediction(seed, nc=NC)
    rows = evaluation_rows(boxes, scores, level, max_det=max_det, nms=False, ablation=True)
    assert np.array_equal(as_validated(rows, rows.variant == PLAIN), by_top(boxes, scores, max_det))
    survey = evaluated(rows, names=range(NC), side=96, max_det=max_det)
    images = read_images(survey)
    pairs = read_pairs(survey, images)
    selections = Selections(pairs, images, survey.levels, max_det)
    assert np.array_equal(kept_rows(pairs, selections.plain()), by_top(boxes, scores, max_det))
    for of in range(len(STRIDES)):
        expected = by_top(boxes, silenced(scores, level, of), max_det)
        assert np.array_equal(kept_rows(pairs, selections.without_level(of)), expected)
    for of, class_id in ROWS:
        expected = by_top(boxes, silenced(scores, level, of, class_id), max_det)
        assert np.array_equal(kept_rows(pairs, selections.without_row(of, class_id)), expected)


def test_the_pool_leaves_out_what_cannot_return():
    boxes, scores, level = prediction(1, nc=NC)
    rows = evaluation_rows(boxes, scores, level, max_det=5, nms=False, ablation=True)
    assert 5 < (rows.variant == POOL).sum() < (scores > 0.001).sum() / 2


@pytest.mark.parametrize("nms", [True, False])
def test_an_image_without_candidates_has_no_rows(nms):
    boxes, scores, level = prediction(0)
    rows = evaluation_rows(boxes, scores * 0, level, nms=nms, ablation=True)
    assert len(rows) == 0
    assert rows.to_df(3).is_empty()


def many(seed):
    """More candidates than NMS takes, of which few hundred survive."""
    boxes, scores, level = prediction(seed, side=512, nc=8, strides=(8, 16, 32))
    return boxes, scores.clamp(min=0.002), level


def test_of_too_many_candidates_nms_takes_the_best():
    boxes, scores, level = many(0)
    sizes = torch.cat(((boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]), 1)
    assert (scores > 0.001).sum() > suppressed.MOST
    rows = evaluation_rows(xywh2xyxy(sizes), scores, level, max_det=30, ablation=True)
    plain = (rows.variant == PLAIN) & ~rows.cut
    assert np.array_equal(as_validated(rows, plain), by_nms(sizes, scores, 30))
    expected = by_nms(sizes, silenced(scores, level, 0, 3), 30)
    survey = evaluated(rows, names=range(8), side=512, max_det=30)
    images = read_images(survey)
    pairs = read_pairs(survey, images)
    kept = Selections(pairs, images, survey.levels, 30).without_row(0, 3)
    assert np.array_equal(kept_rows(pairs, kept), expected)


def test_where_the_limit_of_nms_would_couple_classes_the_ablation_is_refused():
    boxes, scores, level = many(0)
    with pytest.raises(ValueError, match=r"NMS takes 30000 candidates of an image.*Consider a higher conf"):
        evaluation_rows(boxes, scores, level, max_det=20_000, ablation=True)
    evaluation_rows(boxes, scores, level, max_det=20_000)


def test_boxes_that_meet_those_of_the_next_class_are_refused_in_an_ablation():
    boxes, scores, level = prediction(0)
    boxes[0] = torch.tensor((-4000.0, -4000.0, 4000.0, 4000.0))
    with pytest.raises(ValueError, match=r"must span less than 7680 px.*Consider ablation=False"):
        evaluation_rows(boxes, scores.clamp(min=0.01), level, ablation=True)
    evaluation_rows(boxes, scores.clamp(min=0.01), level)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": torch.zeros(5, 3)}, "must agree in A, but"),
        ({"scores": torch.zeros(2, 4)}, "must agree in A, but"),
        ({"level": torch.zeros(4).long()}, "must agree in A, but"),
        ({"scores": torch.zeros(2, 5, dtype=torch.float64)}, "must be float32"),
        ({"conf": 1.5}, "conf must be"),
        ({"max_det": 0}, "max_det must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_door(change, message):
    given = {"boxes": torch.zeros(5, 4), "scores": torch.zeros(2, 5), "level": torch.zeros(5).long()} | change
    with pytest.raises(ValueError, match=message):
        evaluation_rows(given.pop("boxes"), given.pop("scores"), given.pop("level"), **given)


@pytest.mark.parametrize(
    ("objects", "max_det", "limit"), [([3, 400], 300, 400), ([3, 400], 200, 200), ([3], 300, 300), ([], 300, 300)]
)
def test_the_default_limit_is_raised_to_the_largest_number_of_objects(objects, max_det, limit):
    assert validation_limit(objects, max_det) == limit
