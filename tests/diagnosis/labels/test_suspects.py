"""Single suspects: what a model sees and no label has, another class, a loose box; each ranked by hand."""

import numpy as np
import pytest

from diagnosis.labels.reading import Reading
from diagnosis.labels.rows import Rows
from diagnosis.labels.seen import Seen
from diagnosis.labels.suspects import find_suspects, suspect_dicts
from diagnosis.labels.tables import suspect_rows

SIZE = (200, 100)


def _rows(*entries) -> Rows:
    """Of (image, class, x1, y1, x2, y2 shares); lines count from 1."""
    boxes = np.array([entry[2:] for entry in entries], float).reshape(-1, 4)
    return Rows(
        image=np.array([entry[0] for entry in entries], np.int64),
        line=np.arange(1, len(entries) + 1),
        class_id=np.array([entry[1] for entry in entries], np.int64),
        quads=np.concatenate(((boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]), 1),
        polygon=np.zeros(len(entries), bool),
    )


def _seen(*entries) -> Seen:
    """Of (class, confidence, x1, y1, x2, y2 shares), best first."""
    return Seen(
        size=SIZE,
        boxes=np.array([entry[2:] for entry in entries], float).reshape(-1, 4),
        confidence=np.array([entry[1] for entry in entries], float),
        class_id=np.array([entry[0] for entry in entries], np.int64),
    )


GOOD, LACKING = (0.1, 0.1, 0.5, 0.9), (0.6, 0.1, 0.9, 0.5)


def test_labels_that_agree_with_the_model_are_not_suspected():
    found = find_suspects(_rows((0, 0, *GOOD)), [_seen((0, 0.9, *GOOD))], Reading())
    assert len(found.kind) == 0


def test_each_kind_with_its_score():
    rows = _rows((0, 0, *GOOD), (1, 1, *GOOD), (2, 0, 0.1, 0.1, 0.3, 0.9))
    seen = [_seen((0, 0.9, *GOOD), (1, 0.8, *LACKING)), _seen((0, 0.7, *GOOD)), _seen((0, 0.6, *GOOD))]
    found = find_suspects(rows, seen, Reading())
    assert found.kind.tolist() == ["lacking", "class", "loose"]
    assert found.score.tolist() == pytest.approx([0.8, 0.7, 0.6 * 0.5])
    assert found.row.tolist() == [-1, 1, 2] and found.detection.tolist() == [1, 2, 3]
    assert found.iou.tolist() == pytest.approx([0, 1, 0.5])


def test_the_table_has_boxes_in_px_lines_and_names():
    rows = _rows((0, 0, *GOOD), (1, 1, *GOOD))
    seen = [_seen((0, 0.9, *GOOD), (1, 0.8, *LACKING)), _seen((0, 0.7, *GOOD))]
    found = find_suspects(rows, seen, Reading())
    frame = suspect_rows(suspect_dicts(found, rows, seen, Reading(), {0: "cat", 1: "dog"}, ["a.jpg", "b.jpg"]))
    assert frame["kind"].to_list() == ["lacking", "class"]
    assert frame["image"].to_list() == ["a.jpg", "b.jpg"] and frame["line"].to_list() == [None, 2]
    assert frame.select("class_name", "other").rows() == [("dog", "dog"), ("dog", "cat")]
    assert frame.select("x1", "y1", "x2", "y2").rows() == [
        pytest.approx((120, 10, 180, 50)),
        pytest.approx((20, 10, 100, 90)),
    ]


def test_what_the_model_often_confuses_or_does_not_know_says_less():
    """Four of four labels of class 1 are seen as 0: (4 − 1) / (4 − 1 + 4) of the score is taken away."""
    rows = _rows(*[(image, 1, *GOOD) for image in range(4)], (4, 1, *GOOD), (5, 7, *GOOD))
    seen = [_seen((0, 1.0, *GOOD)) for _ in range(4)] + [_seen((1, 1.0, *GOOD)), _seen((0, 1.0, *GOOD))]
    found = find_suspects(rows, seen, Reading())
    assert found.row.tolist() == [0, 1, 2, 3]  # 7 is no class of the model's
    assert found.score.tolist() == pytest.approx([1 - 3 / 8] * 4)


def test_one_label_of_a_group_covers_its_members_and_small_boxes_say_little():
    group, member = (0, 0, 0.8, 0.8), (0.1, 0.1, 0.3, 0.3)
    found = find_suspects(_rows((0, 0, *group)), [_seen((0, 0.9, *member))], Reading())
    assert len(found.kind) == 0
    found = find_suspects(_rows((0, 0, *group)), [_seen((0, 0.9, 0.7, 0.1, 0.9, 0.3))], Reading())
    assert found.kind.tolist() == ["lacking"] and found.score.tolist() == pytest.approx([0.9 * 0.5])
    small = (0.1, 0.1, 0.18, 0.26)  # 16 × 16 px
    found = find_suspects(_rows((0, 0, 0.1, 0.1, 0.18, 0.18)), [_seen((0, 0.8, *small))], Reading())
    assert found.kind.tolist() == ["loose"] and found.score.tolist() == pytest.approx([0.8 * 0.5 * 16 / 32])


def test_ids_that_mean_others_and_another_reading_are_heeded():
    rows = _rows((0, 5, *GOOD), (1, 6, *GOOD))
    seen = [_seen((0, 0.9, *GOOD)), _seen((1, 0.9, *GOOD))]
    assert len(find_suspects(rows, seen, Reading(), {5: 0, 6: 1}).kind) == 0
    flipped = Reading(turn="flipped_horizontally")
    written = Rows(**{**vars(rows), "quads": flipped.written(Reading().boxes(rows.quads, SIZE), SIZE)})
    assert len(find_suspects(written, seen, flipped, {5: 0, 6: 1}).kind) == 0
    assert "lacking" in find_suspects(written, seen, Reading(), {5: 0, 6: 1}).kind
