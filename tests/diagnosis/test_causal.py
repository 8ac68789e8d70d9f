"""What takes a detection's place without its class row and without its level, against real edits of the weights."""

from itertools import product

import numpy as np
import pytest

import anatomy
import diagnosis
import surgery
from diagnosis.overlap import pair_overlaps

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


def test_what_is_left_is_the_best_candidate_of_the_class_at_the_place(seen):
    _, trace, evidence = seen
    boxes = trace.letterbox.to_original(trace.decode(np.arange(sum(r * c for r, c in trace.shapes))))
    left = [(i, then["level"]) for i, then in zip(evidence.detections, evidence.successors, strict=True)]
    left = [(i, then) for i, then in left if then is not None and not then.detected]
    for i, then in left:
        scores = trace.silenced(int(trace.detections.level[i])).scores()[then.class_id].numpy()
        near = pair_overlaps(trace.detections.xyxy[i : i + 1], boxes)[0] >= 0.5
        assert then.confidence == pytest.approx(scores[near].max())
        assert then.class_id == trace.detections.class_id[i]
        assert then.level != trace.detections.level[i]


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
