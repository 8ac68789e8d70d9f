"""The parts of listening to a predictor, each by hand on stand-ins."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ultralytics.engine.results import Results

from anatomy.families.ultralytics import tap
from anatomy.families.ultralytics.candidates import _boxes, _chosen, xywh_to_xyxy


class Counted:
    """Something with attributes of its class and of its own."""

    shared = 1

    def __init__(self):
        self.own = 2


def test_a_copy_apart_sees_what_was_there_and_keeps_what_it_is_given():
    first = Counted()
    twin = tap.apart(first, own=5, new=6)
    assert type(twin) is Counted and vars(twin) == {"own": 5, "new": 6} and vars(first) == {"own": 2}
    first.own = 7
    assert twin.own == 5 and vars(tap.apart(first)) == {"own": 7}


def test_six_columns_get_a_seventh_and_no_other_number_does():
    for columns in (5, 6, 7):
        rows = torch.arange(2.0 * columns).view(1, 2, columns)
        made = tap._unfinished(rows)
        assert torch.equal(made[..., :columns], rows)
        assert made.shape == (1, 2, 7 if columns == 6 else columns) and (columns != 6 or not made[..., 6].any())


def test_an_end_to_end_head_ranks_three_hundred_at_least():
    for asked, ranked in ((5, 300), (300, 300), (301, 301)):
        assert tap.end_to_end(SimpleNamespace(max_det=asked, agnostic_nms="as asked")) == {
            "max_det": ranked,
            "agnostic_nms": "as asked",
        }


class Head:
    """As a detection head that ranks three anchors of a prediction (b, A, channels)."""

    def get_topk_index(self, scores, most):
        return scores, most, torch.tensor([[2, 0, 1]])

    def postprocess(self, predictions):
        self.get_topk_index("scores", 3)
        return predictions * 2


def test_the_top_of_a_head_is_heard_within_the_block_alone():
    head, given = Head(), torch.ones(1, 3, 4)
    with tap.TopK(head) as top:
        assert torch.equal(head.postprocess(given), given * 2)
    assert top.before is given and top.index.tolist() == [[2, 0, 1]] and vars(head) == {}


class Predictor:
    """As a predictor whose NMS keeps rows 4 and 2 of the first image, and row 1 of the second."""

    def __init__(self, masks=None):
        self.masks = masks

    def construct_result(self, boxes, masks):
        image = np.zeros((4, 4, 3), np.uint8)
        return Results(image, "x", {0: "a"}, boxes=boxes, masks=masks)

    def postprocess(self, masks):
        kept = self.get_obj_feats(self._feats, [torch.tensor([[4.0], [2.0]]), torch.tensor([[1.0]])])
        boxes = torch.tensor([[0.0, 0, 4, 4, 0.9, 0], [1, 1, 2, 2, 0.8, 0]])
        return [self.construct_result(boxes[: len(rows)], masks and masks[: len(rows)]) for rows in kept]


def test_the_selection_tells_which_rows_became_detections():
    predictor = Predictor()
    with tap.Selection(predictor) as selection:
        results = predictor.postprocess(None)
    assert [rows.tolist() for rows in selection.rows] == [rows.tolist() for rows in selection.kept] == [[4, 2], [1]]
    assert selection.rows[0].dtype == torch.int64 and [len(result) for result in results] == [2, 1]
    assert vars(predictor) == {"masks": None}


def test_segments_without_a_mask_are_no_detections():
    class Segments(Predictor):
        def construct_result(self, boxes, masks):
            masks = torch.zeros(len(boxes), 4, 4)
            masks[-1, 3, 3] = 1
            return super().construct_result(boxes, masks)

    predictor = Segments()
    with tap.Selection(predictor) as selection:
        results = predictor.postprocess(None)
    assert [rows.tolist() for rows in selection.rows] == [[2], [1]]
    assert [rows.tolist() for rows in selection.kept] == [[4, 2], [1]] and [len(result) for result in results] == [1, 1]
    with tap.Selection(predictor) as selection:  # of another batch nothing is left
        predictor.postprocess(None)
    assert len(selection.rows) == 2


@pytest.mark.parametrize(
    ("conf", "classes", "chosen"),
    [(0.0, None, [0, 1, 2, 3]), (0.5, None, [1, 2]), (0.2, [1, 2], [0, 2]), (0.9, None, [])],
)
def test_which_predictions_nms_sees(conf, classes, chosen):
    args = SimpleNamespace(conf=conf, classes=classes)
    confidence, class_id = torch.tensor([0.3, 0.9, 0.6, 0.1]), torch.tensor([2, 0, 1, 3])
    assert _chosen(args, confidence, class_id).tolist() == chosen


def test_of_very_many_predictions_the_best_are_seen(monkeypatch):
    monkeypatch.setattr("anatomy.families.ultralytics.candidates.NMS_MOST", 2)
    args, confidence = SimpleNamespace(conf=0.0, classes=None), torch.tensor([0.3, 0.9, 0.6])
    assert _chosen(args, confidence, torch.zeros(3)).tolist() == [1, 2]
    assert _chosen(args, confidence[:2], torch.zeros(2)).tolist() == [0, 1]  # as they stand, where all are seen


def test_boxes_of_a_prediction():
    prediction = torch.arange(14.0).view(7, 2)
    assert _boxes(prediction, rotated=True).tolist() == [[0, 2, 4, 6, 12], [1, 3, 5, 7, 13]]
    assert _boxes(prediction, rotated=False).tolist() == [[-2, -1, 2, 5], [-1.5, -0.5, 3.5, 6.5]]
    assert xywh_to_xyxy(torch.tensor([[10.0, 20, 4, 6]])).tolist() == [[8, 17, 12, 23]]
