"""What became of each detection: by anchor within one model, by class and overlap between two."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

import anatomy
import surgery
import viz
from anatomy.tracing.matching import by_overlap, one_network
from anatomy.tracing.overlap import pair_overlaps

ARGS = {"imgsz": 192}


@pytest.fixture(scope="module")
def model(build, picture):
    return build("yolov8n", picture)


@pytest.fixture(scope="module")
def trace(model, picture):
    return anatomy.trace(model, picture, **ARGS)


@pytest.fixture(scope="module")
def other(build, picture):
    """Another family with another grid: it has a P2."""
    return anatomy.trace(build("yolov8n-p2", picture, seed=1), picture, **ARGS)


def found_as(trace, rows):
    """A trace whose detections are these (xyxy, class id, confidence, level) alone."""
    old = trace.detections
    names = [level.name for level in trace.levels]
    changed = copy.copy(trace)
    xyxy, class_id, confidence, level = zip(*rows, strict=True)
    part = {name: getattr(old, name)[: len(rows)] for name in ("stride", "row", "col", "anchor", "center", "logits")}
    changed.__dict__["detections"] = replace(
        old,
        **part,
        xyxy=np.asarray(xyxy, np.float32),
        class_id=np.asarray(class_id),
        confidence=np.asarray(confidence, np.float32),
        level=np.asarray(level),
        class_name=tuple(trace.names[index] for index in class_id),
        level_name=tuple(names[index] for index in level),
        branch=old.branch[: len(rows)],
        suppressed=old.suppressed[: len(rows)],
        pooled_level=np.asarray(level),
    )
    return changed


def shifted(box, by):
    return np.asarray(box, np.float64) + np.array([by, 0, by, 0])


A, B, C, D = (np.array([x, 20.0, x + 20, 60.0]) for x in (0.0, 40.0, 80.0, 120.0))


def test_two_models_are_told_apart_by_their_networks_and_one_by_its_own(model, build, picture, trace):
    again = anatomy.trace(model, picture, conf=0.4, **ARGS)
    assert one_network(trace, again)
    with surgery.scratch(model):
        surgery.shift_classes(model, "all", 3)
        assert one_network(trace, trace.replay())
        assert one_network(trace, anatomy.trace(model.model, picture, **ARGS))
    second = anatomy.trace(build("yolov8n", picture, seed=5), picture, **ARGS)
    assert not one_network(trace, second)
    assert anatomy.compare(trace, again).matched_by == "anchor"
    assert anatomy.compare(trace, again).threshold is None, "anchors are the same or are not"
    assert anatomy.compare(trace, second).matched_by == "iou"
    assert anatomy.compare(trace, second, by="anchor").matched_by == "anchor"
    assert anatomy.compare(trace, again, by="iou").matched_by == "iou"


def test_without_a_live_network_equal_features_say_that_it_is_one(model, build, picture, trace):
    """A model opened twice, and traces that came from a file and hold no network."""
    twice = anatomy.trace(build("yolov8n", picture), picture, **ARGS)
    surgery.bias_classes(model, 0, 0, 1.0)
    edited = anatomy.trace(model, picture, **ARGS)
    surgery.reset(model)
    assert twice.head.net is not edited.head.net
    assert one_network(twice, edited)
    second = anatomy.trace(build("yolov8n", picture, seed=5), picture, **ARGS)
    travelled = [pickle.loads(pickle.dumps(one)) for one in (twice, edited, second)]
    assert one_network(travelled[0], travelled[1])
    assert one_network(travelled[0], edited)
    assert not one_network(travelled[0], travelled[2])
    assert anatomy.compare(*travelled[:2]).to_df().equals(anatomy.compare(twice, edited).to_df())
    assert anatomy.compare(*travelled[::2]).to_df().equals(anatomy.compare(twice, second).to_df())
    assert one_network(trace, copy.deepcopy(trace))


def test_the_same_weights_moved_by_training_are_another_model_once_they_stand_in_another_network(build, picture, trace):
    trained = build("yolov8n", picture)
    with torch.no_grad():
        trained.model.model[0].conv.weight.mul_(1.001)
    joined = anatomy.compare(trace, anatomy.trace(trained, picture, **ARGS))
    assert joined.matched_by == "iou"


def test_what_becomes_of_detections_of_two_models(trace, other):
    """By hand: one is the same, one surer, less sure, on another level, of another class, gone, new."""
    far = np.array([150.0, 90.0, 180.0, 120.0])
    first = [(A, 1, 0.9, 0), (B, 1, 0.5, 0), (C, 2, 0.8, 1), (D, 3, 0.7, 1), (A + 60, 4, 0.6, 1), (B + 60, 5, 0.3, 0)]
    second = [
        (shifted(B, 2), 1, 0.6, 1),
        (A, 1, np.float32(0.9), 1),
        (shifted(C, 3), 2, 0.4, 2),
        (shifted(D, -2), 3, 0.7, 0),
        (A + 60, 7, 0.6, 2),
        (far, 6, 0.45, 2),
    ]
    joined = anatomy.compare(found_as(trace, first), found_as(other, second))  # levels 0, 1: P3, P4; 1, 2: P3, P4
    assert joined.matched_by == "iou"
    assert joined.threshold == 0.5
    assert joined.before.tolist() == [0, 1, 2, 3, 4, 5, -1]
    assert joined.after.tolist() == [1, 0, 2, 3, 4, -1, 5]
    assert joined.status == ("same", "surer", "less sure", "level", "class", "gone", "new")
    assert joined.levels == ("P3", "P3", "P4", "P4", "P4", "P3", "P4")
    assert joined.levels_after == ("P3", "P3", "P4", "P2", "P4", None, "P4")
    assert joined.class_shift.tolist() == [0, 0, 0, 0, 3, -1, -1]
    assert (joined.freed_from == -1).all()
    expected = [1, 18 / 22, 17 / 23, 18 / 22, 1]
    assert np.allclose(joined.iou[:5], expected)
    assert np.isnan(joined.iou[5:]).all()
    assert np.allclose(joined.confidence[1], [0.5, 0.6])
    assert repr(joined) == (
        "Comparison(7 detections matched by class and IoU of at least 0.5: 1 same, 1 surer, 1 less sure, 1 level, "
        "1 class, 1 gone, 1 new)"
    )
    table = joined.to_df()
    assert table["status"].to_list() == list(joined.status)
    assert table["level_after"].to_list() == list(joined.levels_after)
    assert table["class_before"].to_list()[4:] == [trace.names[4], trace.names[5], None]
    assert table["class_after"].to_list()[4:] == [trace.names[7], None, trace.names[6]]
    assert table["confidence_after"].null_count() == table["confidence_before"].null_count() == 1
    assert table["iou"].null_count() == 2


def test_pairs_are_one_to_one_best_first_and_of_one_class_before_others(trace):
    old = found_as(trace, [(A, 1, 0.9, 0), (shifted(A, 4), 1, 0.8, 0), (shifted(A, 1), 2, 0.7, 0)]).detections
    new = found_as(trace, [(shifted(A, 3), 1, 0.9, 0), (A, 2, 0.8, 0)]).detections
    assert by_overlap(old, new, 0.5) == {1: 0, 2: 1}
    assert by_overlap(old, new, 0.95) == {0: 1}  # of two classes, and nothing better is left
    assert by_overlap(old, new, 1.0) == {0: 1}
    assert by_overlap(old, found_as(trace, [(D, 1, 0.9, 0)]).detections, 0.1) == {}


def test_overlaps_by_hand():
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 20, 30]], np.float32)
    assert np.allclose(pair_overlaps(boxes, boxes), [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 0]])
    assert pair_overlaps(boxes[:0], boxes).shape == (0, 3)


def test_classes_of_two_models_are_compared_by_name_and_not_by_number(trace):
    renamed = found_as(trace, [(A, 0, 0.9, 0), (B, 2, 0.5, 0)])
    renamed.names = {0: trace.names[2], 1: trace.names[1], 2: "sheep dog"}
    renamed.__dict__["detections"] = replace(renamed.detections, class_name=(trace.names[2], "sheep dog"))
    joined = anatomy.compare(found_as(trace, [(A, 2, 0.8, 0), (B, 2, 0.5, 0)]), renamed, by="iou")
    assert joined.status == ("surer", "class")
    assert joined.class_shift.tolist() == [-1, -1]
    assert joined.to_df()["class_after"].to_list() == [trace.names[2], "sheep dog"]


def test_a_model_against_itself_finds_everything_the_same_either_way(trace):
    for by in ("anchor", "iou"):
        joined = anatomy.compare(trace, trace, by=by)
        assert set(joined.status) == {"same"}
        assert np.array_equal(joined.before, joined.after)
        assert np.allclose(joined.iou, 1)


def test_other_grids_and_sizes_compare_by_place(model, trace, other, picture):
    joined = anatomy.compare(trace, other)
    assert joined.matched_by == "iou"
    assert len(joined) >= max(len(trace.detections), len(other.detections))
    both = (joined.before >= 0) & (joined.after >= 0)
    assert (joined.iou[both] >= 0.5).all()
    assert sorted(joined.before[joined.before >= 0]) == list(range(len(trace.detections)))
    assert sorted(joined.after[joined.after >= 0]) == list(range(len(other.detections)))
    small = anatomy.trace(model, picture, imgsz=96)
    with pytest.raises(ValueError, match=r'same image and input size.*by="iou"'):
        anatomy.compare(trace, small, by="anchor")
    assert anatomy.compare(trace, small, by="iou", iou=0.3).threshold == 0.3


def test_empty_traces_compare(model, other, trace, picture):
    none = anatomy.trace(model, picture, conf=1.0, **ARGS)
    new, gone = anatomy.compare(none, other), anatomy.compare(other, none)
    assert set(new.status) == {"new"} and set(gone.status) == {"gone"}
    for told, there in ((new, 1), (gone, 0)):
        assert told.anchors[:, there].tolist() == other.detections.anchor.tolist()
        assert set(told.anchors[:, 1 - there].tolist()) == {-1}
        assert set(told.classes[:, 1 - there].tolist()) == {-1}
    assert len(anatomy.compare(none, none)) == 0
    assert anatomy.compare(none, none).to_df().schema == anatomy.compare(trace, trace).to_df().schema
    assert repr(anatomy.compare(none, none)) == "Comparison(0 detections matched by anchor)"


def test_refusals_say_what_is_wanted(trace, other, build, picture):
    with pytest.raises(ValueError, match=r'by must be "anchor", "iou" or None, but \'class\''):
        anatomy.compare(trace, other, by="class")
    with pytest.raises(ValueError, match=r"iou must be above 0 and at most 1, but 0 was given"):
        anatomy.compare(trace, other, iou=0)
    second = build("yolo11n", picture)
    with pytest.raises(ValueError, match=r"same image, but these two images differ in their pixels"):
        anatomy.compare(trace, anatomy.trace(second, picture[::-1].copy(), **ARGS))
    with pytest.raises(ValueError, match=r"same image, but these two are \(128, 192, 3\) and \(64, 192, 3\) large"):
        anatomy.compare(trace, anatomy.trace(second, picture[:64].copy(), **ARGS))


def test_two_real_models_agree_on_the_bus_and_the_tv(real):
    """The television is found by both at one place: matched, and neither gone nor freed."""
    first, second = (surgery.load(real / "weights" / f"{name}_coco.pt") for name in ("yolov8n", "yolo11n"))
    from ultralytics.utils import ASSETS

    joined = anatomy.compare(*(anatomy.trace(model, ASSETS / "bus.jpg") for model in (first, second)))
    assert joined.matched_by == "iou"
    table = joined.to_df()
    agreed = table.filter(table["after"].is_not_null() & table["before"].is_not_null())
    assert (agreed["class_before"] == agreed["class_after"]).sum() >= 4
    assert "bus" in agreed["class_before"].to_list()


@pytest.mark.parametrize("wrong", [None, "photo.jpg", [1]])
def test_what_is_no_trace_is_refused(trace, wrong):
    for pair in ((trace, wrong), (wrong, trace)):
        for compared in (anatomy.compare, viz.compare):
            with pytest.raises(TypeError, match=r"Two traces are compared, but a \w+ was given"):
                compared(*pair)
    with pytest.raises(ValueError, match="titles are two"):
        viz.compare(trace, trace, titles=["only one"])
