"""One detection out of many: by index, mask and slice, with its photograph and what it is asked."""

import copy
import gc
import pickle
import tomllib
import weakref
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import anatomy
from anatomy import Detection, Detections
from anatomy.tracing import questions
from tests.ultralytics_nets import small

PLAIN = ("xyxy", "confidence", "class_id", "level", "row", "col", "anchor", "center", "logits")


@pytest.fixture(scope="module")
def model(picture):
    return small("yolov8n", picture, 3, bodiless=True)


@pytest.fixture(scope="module")
def trace(model, picture):
    return anatomy.trace(model, picture, imgsz=192, max_det=6)


def test_an_index_gives_one_detection_with_all_that_is_known_of_it(trace):
    found = trace.detections
    assert len(found) == 6 and [one.number for one in found] == [0, 1, 2, 3, 4, 5]
    one = found[-2]
    assert isinstance(one, Detection) and one.number == 4 and found[np.int64(4)].anchor == one.anchor
    for name in PLAIN:
        assert np.array_equal(getattr(one, name), getattr(found, name)[4]), name
    assert (one.class_name, one.level_name, one.branch) == (found.class_name[4], found.level_name[4], "one2many")
    assert one.rivals is found.suppressed[4]
    assert f"4: {one.class_name}" in repr(one) and f"({one.row}, {one.col}), anchor {one.anchor}" in repr(one)


def test_masks_slices_and_indices_give_detections_with_every_field_aligned(trace):
    found = trace.detections
    mask = np.array([True, False, True, False, False, True])
    for which, rows in ((mask, [0, 2, 5]), (mask.tolist(), [0, 2, 5]), (slice(1, 4), [1, 2, 3]), ([5, -6], [5, 0])):
        some = found[which]
        assert isinstance(some, Detections) and some.numbers.tolist() == rows
        for name in PLAIN:
            assert np.array_equal(getattr(some, name), getattr(found, name)[rows]), name
        assert some.class_name == tuple(found.class_name[i] for i in rows)
        assert some.suppressed == tuple(found.suppressed[i] for i in rows)
    assert found[mask][1:][0].number == 2
    assert len(found[[]]) == 0 and len(found[np.zeros(6, bool)]) == 0 and str(found[[]]) == "none"


@pytest.mark.parametrize(
    ("which", "error", "told"),
    [
        (6, IndexError, "Detection 6 does not exist: this trace has 6, numbered from 0 to 5."),
        (-7, IndexError, "Detection -7 does not exist"),
        ([0, 9], IndexError, "Detection 9 does not exist"),
        (np.ones(5, bool), IndexError, "each of 6 detections, but has 5 entries"),
        ("cat", TypeError, "chosen by an index, a slice, a mask or indices, but 'cat' .str. was given. Example"),
        (1.0, TypeError, "chosen by an index"),
        (None, TypeError, "chosen by an index"),
    ],
)
def test_what_is_not_there_is_refused(trace, which, error, told):
    with pytest.raises(error, match=told):
        trace.detections[which]


def test_the_crop_is_what_the_box_holds_of_the_photograph(trace):
    found = copy.deepcopy(trace.detections)
    for box, (x1, y1, x2, y2) in (
        ([10.2, 20.7, 30.1, 40.0], (10, 20, 31, 40)),
        ([-5, -5, 400, 400], (0, 0, 192, 128)),
        ([50, 50, 50, 50], (50, 50, 51, 51)),
        ([192, 128, 192, 128], (191, 127, 192, 128)),
    ):
        found.xyxy[0] = box
        assert np.array_equal(found[0].crop, trace.image[y1:y2, x1:x2])


def test_a_detection_is_asked_why_and_for_evidence(trace):
    import diagnosis

    one = trace.detections[2]
    why = one.why(method="quick")
    assert (
        isinstance(why, diagnosis.Attribution) and why.subject.anchor == one.anchor and why.subject.trace is one.trace
    )
    evidence = one.evidence(iou=0.6)
    assert evidence.detections == (2,) and evidence.iou == 0.6
    assert diagnosis.level_evidence(trace, trace.detections[3:5]).detections == (3, 4)
    several = diagnosis.attribute_all(trace, trace.detections[:2], "quick")
    assert [made.subject.anchor for made in several] == trace.detections.anchor[:2].tolist()


def test_who_answers_stands_in_the_package_and_is_not_imported_from_below(trace, monkeypatch):
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    entries = project["entry-points"][questions.GROUP]
    assert set(entries) == {"why", "evidence"}
    for name, place in entries.items():
        module, _, function = place.partition(":")
        assert questions._ANSWERS[name] is getattr(import_module(module), function)
    monkeypatch.setattr(questions, "_ANSWERS", {})
    monkeypatch.setattr(questions, "entry_points", lambda **_: ())
    with pytest.raises(RuntimeError, match=r"`why\(\)` is answered by the package diagnosis, which is not loaded"):
        trace.detections[0].why()


def test_detections_know_their_trace_and_do_not_keep_it_alive_in_a_circle(trace):
    assert trace.detections[1].trace is trace
    copied = copy.deepcopy(trace)
    assert copied.detections[0].trace is copied
    dropped = weakref.ref(copied)
    gc.disable()
    try:
        del copied
        assert dropped() is None
    finally:
        gc.enable()


def test_detections_travel_without_their_trace_and_a_trace_with_its_detections(trace):
    arrived = pickle.loads(pickle.dumps(trace.detections[3]))
    assert repr(arrived) == repr(trace.detections[3]) and len(pickle.dumps(trace.detections)) < 100_000
    with pytest.raises(RuntimeError, match="without its trace"):
        arrived.crop  # noqa: B018
    assert len(arrived._repr_html_()) > 0
    there = pickle.loads(pickle.dumps(trace))
    assert np.array_equal(there.detections[3].crop, trace.detections[3].crop)
    assert copy.deepcopy(trace.detections[2:])[0].number == 2


def test_a_frame_puts_what_is_looked_for_first(trace):
    first = ["class_name", "confidence", "level_name", "row", "col", "anchor"]
    assert trace.to_df().columns[:6] == first and trace.detections[:2].to_df().columns[:6] == first
    assert trace.to_df()["anchor"].to_list() == trace.detections.anchor.tolist()
