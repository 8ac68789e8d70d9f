"""Each stage that can stop a candidate is provoked once, and told from the others."""

import numpy as np
import pytest

import anatomy
import diagnosis

from .given_boxes import given_trace


def look(demo, scene, boxes=None, labels=None, **args):
    image, *truth = scene
    trace = anatomy.trace(demo, image, **args)
    return diagnosis.missed(trace, truth[0] if boxes is None else boxes, truth[1] if labels is None else labels)


def test_nothing_is_missed_where_all_are_found(demo, scene):
    result = look(demo, scene)
    assert len(result.objects) == 0
    assert sorted(result.found) == list(range(12))
    assert result.to_df().height == 0
    assert result.reason(0).startswith("found by detection")
    assert all(result.stage(i) == "" for i in range(12))


def test_too_little_confidence(demo, scene):
    result = look(demo, scene, conf=0.9)
    assert len(result.objects) == 7
    assert {result.stage(i) for i in result.objects} == {"confidence"}
    best = result.candidates[0][result.best[0]]
    assert best.iou > 0.9
    assert best.score <= 0.9
    assert result.to_df().filter("decisive").height == 7
    assert result.to_df().height == 21


def test_a_class_that_was_not_asked_for(demo, scene):
    result = look(demo, scene, classes=[int(scene[2][0])])
    asked = scene[2] == scene[2][0]
    assert {result.stage(i) for i in result.objects} == {"class_filter"}
    assert (result.found[asked] >= 0).all()
    assert (result.found[~asked] < 0).all()


def test_the_largest_number_of_detections(demo, scene):
    result = look(demo, scene, max_det=3)
    assert len(result.objects) == 9
    assert {result.stage(i) for i in result.objects} == {"limit"}
    assert "max_det = 3" in result.reason(int(result.objects[0]))


def test_suppression_names_the_detection(demo, scene):
    result = look(demo, scene, iou=0.0, agnostic_nms=True)
    stopped = [i for i in result.objects if result.stage(i) == "suppressed"]
    assert stopped
    for i in stopped:
        best = result.candidates[i][result.best[i]]
        assert best.anchor in result.trace.detections.suppressed[best.by].anchor
        assert f"detection {best.by}" in result.reason(i)


def test_another_class(demo, scene):
    labels = scene[2].copy()
    labels[0] = (labels[0] + 1) % 12
    result = look(demo, scene, labels=labels)
    assert result.objects.tolist() == [0]
    assert result.stage(0) == "wrong_class"
    assert f"seen as {demo.names[int(scene[2][0])]}" in result.reason(0)


def test_a_detection_that_counts_for_another_object(demo, scene):
    boxes = np.concatenate((scene[1], scene[1][:1]))
    result = look(demo, scene, boxes=boxes, labels=[*scene[2], scene[2][0]])
    assert result.objects.tolist() == [12]
    assert result.stage(12) == "taken"


def test_no_box_fits(demo, scene):
    boxes = np.concatenate((scene[1], [[2.0, 330, 630, 338]]))
    result = look(demo, scene, boxes=boxes, labels=[*scene[2], 0])
    assert result.objects.tolist() == [12]
    assert result.stage(12) == "localisation"
    assert [candidate.stage for candidate in result.candidates[12]] == ["ceiling", "localisation", "localisation"]
    reach = result.candidates[12][0].reach
    assert 0 < reach <= 240 / 628 + 1e-6  # P3: 15 bins of 8 px to either side


def test_positives_in_training_are_counted_on_request(demo, scene):
    image, boxes, labels = scene
    trace = anatomy.trace(demo, image, conf=0.9)
    twins, names = np.concatenate((boxes, boxes[:1])), [*labels, labels[0]]
    result = diagnosis.missed(trace, twins, names, positives=True)
    assert result.positives[0] == 10
    assert result.positives[12] == 0
    assert "no positive cell" in result.reason(12)
    assert (diagnosis.missed(trace, twins, names).positives == -1).all()


def test_heads_without_nms_are_explained_too(build, picture):
    model = build("yolo26n", picture)
    trace = anatomy.trace(model, picture, imgsz=192, nms=False)
    found = trace.detections
    boxes = found.xyxy[:1].astype(float)
    assert diagnosis.missed(trace, boxes, found.class_id[:1]).found.tolist() == [0]
    stages = {diagnosis.missed(trace, boxes, [label]).stage(0) for label in range(5)}
    assert stages <= {"wrong_class", "confidence", ""}


def test_what_cannot_be_answered_is_refused(build, demo, picture, scene):
    rotated = anatomy.trace(build("yolov8n-obb", picture), picture, imgsz=192)
    with pytest.raises(ValueError, match="upright boxes"):
        diagnosis.missed(rotated, [[1, 1, 20, 20]], [0])
    with pytest.raises(ValueError, match="iou must be above 0"):
        diagnosis.missed(anatomy.trace(demo, scene[0]), scene[1], scene[2], iou=0)


def test_without_a_threshold_of_the_head_the_least_sure_detection_gives_it():
    boxes = [(0.0, 0.0, 20.0, 20.0), (30.0, 0.0, 60.0, 20.0), (30.0, 30.0, 60.0, 60.0), (0.0, 30.0, 20.0, 60.0)]
    cells = {
        (0, 1, 1): (boxes[0], {0: 0.9}),
        (0, 1, 5): (boxes[1], {1: 0.4}),
        (0, 5, 5): (boxes[2], {2: 0.3}),
        (0, 5, 1): (boxes[3], {2: 0.1}),
    }
    trace = given_trace(cells, conf=0.35)
    assert trace.limits.conf is None
    result = diagnosis.missed(trace, boxes, [0, 1, 2, 2])
    assert result.conf == pytest.approx(0.4)
    assert result.found.tolist() == [0, 1, -1, -1]
    assert [result.stage(i) for i in (2, 3)] == ["confidence", "confidence"]
    assert "score 0.30, below 0.4 (IoU 1.00)" in result.reason(2)
    asked = diagnosis.missed(trace, boxes, [0, 1, 2, 2], conf=0.2)
    assert asked.conf == 0.2
    assert [asked.stage(i) for i in (2, 3)] == ["limit", "confidence"]
    assert "cut off by max_det" in asked.reason(2)
    assert "=" not in asked.reason(2)  # nor does the head say how many it keeps
    silent = diagnosis.missed(given_trace({}), boxes[:1], [0])
    assert (silent.conf, silent.found.tolist()) == (0.25, [-1])


def test_no_objects_is_an_answer(demo, scene):
    result = look(demo, scene, boxes=[], labels=[])
    assert len(result) == 0
    assert str(result).startswith("0 of 0 objects missed")
