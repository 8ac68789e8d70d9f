"""What takes a detection's place without its class row and without its level, against real edits of the weights."""

from itertools import product

import numpy as np
import pytest

import anatomy
import diagnosis
import surgery
from anatomy.tracing.overlap import pair_overlaps
from diagnosis.objects.level_evidence import SILENCED

from .given_boxes import given_trace

ONE_BRANCH = ["yolov8n", "yolov8n-p2", "yolov8n-seg", "yolov8n-obb"]
HEADS = [*product(ONE_BRANCH, [None]), *product(["yolov10n", "yolo26n"], [None, False])]


@pytest.mark.parametrize(("name", "nms"), HEADS)
def test_silence_in_the_pass_is_silence_in_the_weights(build, picture, name, nms):
    model = build(name, picture)
    trace = anatomy.trace(model, picture, imgsz=192, **({} if nms is None else {"nms": nms}))
    for level, classes in ((1, "all"), ("all", [3, 5]), (0, 7)):
        with surgery.scratch(model):
            surgery.zero_classes(model, level, range(80) if classes == "all" else classes)
            edited = trace.replay()
        assert trace.silenced(level, classes).to_df().equals(edited.to_df())
    assert trace.replay().to_df().equals(trace.to_df())


@pytest.fixture(scope="module")
def seen(build, picture):
    model = build("yolov8n", picture)
    trace = anatomy.trace(model, picture, imgsz=192, conf=0.1)
    return model, trace, diagnosis.level_evidence(trace)


def test_each_verdict_is_what_predict_makes_of_the_edited_model(seen, picture):
    model, trace, evidence = seen
    found = trace.detections
    assert len(evidence.detections) == len(found) > 5
    told = {verdict for verdicts in evidence.verdicts for verdict in verdicts.values()}
    for i in range(0, len(found), 9):
        for part, classes in (("row", int(found.class_id[i])), ("level", range(80))):
            with surgery.scratch(model):
                surgery.zero_classes(model, int(found.level[i]), classes)
                after = anatomy.trace(model, picture, imgsz=192, conf=0.1).detections
            known = set(zip(found.anchor.tolist(), found.class_id.tolist(), strict=True))
            overlap = pair_overlaps(found.xyxy[i : i + 1], after.xyxy)[0]
            names = [
                int(after.class_id[j])
                for j in np.flatnonzero(overlap >= 0.5)
                if (int(after.anchor[j]), int(after.class_id[j])) not in known
            ]
            expected = "necessary" if not names else "redundant" if found.class_id[i] in names else "contested"
            assert evidence.verdicts[i][part] == expected
            then = evidence.successors[i][part]
            assert (then is not None and then.detected) == (expected != "necessary")
    assert "contested" in told


# a bird of P4 on most of the photograph, and cells of P3 whose boxes cover its upper and lower two thirds
WHOLE, UPPER, LOWER = (0.0, 0.0, 60.0, 60.0), (0.0, 0.0, 60.0, 40.0), (0.0, 20.0, 60.0, 60.0)
BIRD = {(1, 2, 2): (WHOLE, {0: 0.9})}


def test_what_is_left_is_the_best_candidate_of_the_class_at_the_place():
    weak = {
        (0, 1, 3): (UPPER, {0: 0.1, 2: 0.2}),  # a dog first of all, but it is the bird that was silenced
        (0, 5, 3): (LOWER, {0: 0.2}),
        (0, 7, 7): ((0.0, 0.0, 60.0, 25.0), {0: 0.24}),  # surer, but with an IoU of 5/12 not at the place
        (1, 0, 0): (WHOLE, {0: 0.22}),  # of the silenced level: silent in either case
    }
    evidence = diagnosis.level_evidence(given_trace(BIRD | weak))
    assert evidence.verdicts == ({"row": "necessary", "level": "necessary"},)
    for part in SILENCED:
        then = evidence.successors[0][part]
        assert not then.detected
        assert (then.level, then.row, then.col, then.anchor, then.class_id) == (0, 5, 3, 43, 0)
        assert (then.confidence, then.iou) == pytest.approx((0.2, 2 / 3))
        assert then.xyxy == pytest.approx(LOWER)
    assert "necessary; what is left, bird 0.20 from P3 (5, 3), is no detection" in str(evidence)
    assert evidence.to_df()["detected"].to_list() == [False, False]


def test_nothing_is_left_where_no_other_cell_of_the_class_speaks():
    evidence = diagnosis.level_evidence(given_trace(BIRD | {(0, 1, 3): (UPPER, {2: 0.2})}))
    assert evidence.successors == ({"row": None, "level": None},)
    assert str(evidence).count("necessary; nothing is left there") == 2


def test_a_successor_of_the_same_class_comes_before_a_surer_one_of_another():
    birds = {(0, 5, 3): (LOWER, {0: 0.3}), (0, 5, 4): ((0.0, 21.0, 60.0, 60.0), {0: 0.28})}
    cat = {(0, 1, 3): (UPPER, {1: 0.8})}
    trace = given_trace(BIRD | birds | cat)
    assert trace.detections.class_name == ("bird",)  # NMS removed the others in its favour
    assert trace.silenced(1).detections.class_name == ("cat", "bird")
    evidence = diagnosis.level_evidence(trace)
    assert evidence.verdicts == ({"row": "redundant", "level": "redundant"},)
    then = evidence.successors[0]["level"]
    assert then.detected
    assert (then.class_id, then.level, then.row, then.col) == (0, 0, 5, 3)
    assert (then.confidence, then.iou) == pytest.approx((0.3, 2 / 3))
    assert diagnosis.level_evidence(given_trace(BIRD | cat)).verdicts[0]["row"] == "contested"


def test_of_several_successors_the_surest_is_told():
    high, low = (0.0, 0.0, 60.0, 36.0), (0.0, 24.0, 60.0, 60.0)
    trace = given_trace(BIRD | {(0, 1, 3): (high, {0: 0.3}), (0, 5, 3): (low, {0: 0.5}), (0, 7, 0): (low, {0: 0.4})})
    assert diagnosis.level_evidence(trace).successors[0]["row"].confidence == pytest.approx(0.5)


def test_a_detection_that_was_there_before_takes_nobodys_place():
    near = (0.0, 0.0, 60.0, 33.0)  # IoU 0.55: too little for NMS, enough to be the same place
    evidence = diagnosis.level_evidence(given_trace(BIRD | {(0, 1, 3): (near, {0: 0.5})}), 0)
    then = evidence.successors[0]["level"]
    assert evidence.verdicts[0]["level"] == "necessary"
    assert (then.detected, then.row) == (False, 1)


def test_the_table_has_two_rows_a_detection_and_the_words_name_them(seen):
    _, trace, evidence = seen
    table = evidence.to_df()
    assert len(table) == 2 * len(trace.detections) == len(str(evidence).splitlines())
    assert set(table["verdict"]) <= set(diagnosis.VERDICTS)
    assert table.filter(table["detected"])["then_class"].null_count() == 0


def test_no_detections_give_an_empty_table(build, picture):
    trace = anatomy.trace(build("yolov8n", picture), picture, imgsz=192, conf=0.9999)
    evidence = diagnosis.level_evidence(trace)
    assert evidence.to_df().is_empty() and str(evidence) == "no detections"


def test_what_does_not_exist_is_refused(seen):
    _, trace, _ = seen
    with pytest.raises(IndexError, match=r"Detection 9999 does not exist: this trace has \d+"):
        diagnosis.level_evidence(trace, 9999)
    with pytest.raises(ValueError, match=r"iou must lie in \(0, 1\]"):
        diagnosis.level_evidence(trace, iou=0)


def test_birds_that_two_levels_saw(real):
    from ultralytics import YOLO

    trace = anatomy.trace(YOLO(real / "weights" / "yolov8n_coco.pt"), real / "images" / "000000000143.jpg")
    evidence = diagnosis.level_evidence(trace, [0, 1])
    assert [verdicts["level"] for verdicts in evidence.verdicts] == ["redundant", "necessary"]
    then = evidence.successors[0]["level"]
    assert (trace.names[then.class_id], trace.levels[then.level].name) == ("bird", "P5")
    assert then.confidence == pytest.approx(0.74, abs=0.03)
