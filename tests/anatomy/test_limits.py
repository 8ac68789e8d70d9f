"""What a pass was asked for, as its trace tells it."""

import copy

import anatomy
from anatomy.tracing.provenance import Provenance


def test_an_end_to_end_head_ranks_300_at_least(build, picture):
    model = build("yolov10n", picture)
    limits = [anatomy.trace(model, picture, nms=False, imgsz=128, max_det=most).limits.most for most in (5, 300, 400)]
    assert limits == [300, 300, 400]
    assert anatomy.trace(model, picture, nms=True, imgsz=128, max_det=5).limits.most == 5


def test_a_deep_copy_brings_its_detections_along(build, picture, monkeypatch):
    trace = anatomy.trace(build("yolov8n", picture), picture, imgsz=128)
    copied, found = copy.deepcopy(trace), trace.detections
    monkeypatch.setattr(Provenance, "detections", lambda _: 1 / 0)
    assert copied.detections.anchor.tolist() == found.anchor.tolist()
    assert copied.detections is not found
