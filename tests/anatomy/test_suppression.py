"""What stood for NMS is exactly what NMS saw, in its order; and who lost to whom among equals, limits and masks."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision
from ultralytics.utils import nms, ops

import anatomy
import surgery
from anatomy.families.ultralytics.candidates import NMS_CLASS_SHIFT, NMS_MOST
from anatomy.tracing.suppression import losers
from detectors.fastvit import FastViTDetector
from detectors.pyramid import selection
from tests.anatomy.test_trace import greedy
from tests.fastvit_nets import SMALL
from tests.torchvision_nets import tiny

ARGS = {"imgsz": 192}


@pytest.fixture
def seen(monkeypatch):
    """The (boxes, scores) of every call of an NMS, as long as the test runs."""
    calls = []

    def spy(owner, name):
        real = getattr(owner, name)

        def noted(boxes, scores, *args, **kwargs):
            calls.append((boxes.clone(), scores.clone()))
            return real(boxes, scores, *args, **kwargs)

        monkeypatch.setattr(owner, name, noted)

    spy(torchvision.ops, "nms")
    spy(nms.TorchNMS, "fast_nms")
    spy(selection, "nms")
    return calls


def as_nms_saw(candidates):
    boxes = candidates.boxes.clone()
    boxes[:, : 2 if candidates.chained else 4] += candidates.class_id[:, None] * candidates.shift
    return boxes


def test_the_constants_are_those_of_ultralytics():
    given = inspect.signature(nms.non_max_suppression).parameters
    assert (given["max_wh"].default, given["max_nms"].default) == (NMS_CLASS_SHIFT, NMS_MOST)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("yolov8n", {}),
        ("yolov8n", {"agnostic_nms": True, "conf": 1e-9}),
        ("yolov8n", {"classes": list(range(1, 80, 2)), "conf": 1e-9}),
        ("yolov8n", {"max_det": 3}),
        ("yolov8n-seg", {}),
        ("yolov8n-obb", {}),
        ("yolov8n-obb", {"agnostic_nms": True, "max_det": 5}),
        ("yolov8n-p2", {"imgsz": 768, "conf": 1e-9, "most": True}),
        ("fastvit", {"conf": 0.001}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value) or "plain",
)
def test_candidates_are_what_nms_saw(build, picture, seen, name, args):
    args = {**ARGS, **args}
    full = args.pop("most", False)
    torch.manual_seed(0)
    model = FastViTDetector(3, SMALL, branches=1) if name == "fastvit" else build(name, picture)
    image = np.tile(picture, (6, 4, 1)) if full else picture
    traced = anatomy.trace(model, image, **args)
    surgery.bias_classes(model, "all", 0, 0.5)
    for trace in (traced, traced.replay()):
        boxes, scores = seen.pop(0)
        candidates = trace.head.candidates(trace.run)
        assert torch.equal(as_nms_saw(candidates), boxes)
        assert torch.equal(candidates.confidence, scores)
        assert (len(scores) == NMS_MOST) == full
        assert len(scores) > 20
        rivals = {int(anchor) for lost in trace.detections.suppressed for anchor in lost.anchor}
        assert rivals <= set(candidates.anchor.tolist())


@pytest.mark.parametrize("kind", ["fcos", "retinanet"])
@pytest.mark.parametrize("conf", [0.05, 1e-9])
def test_candidates_of_torchvision_are_what_its_nms_saw(picture, monkeypatch, kind, conf):
    import anatomy.families.torchvision.head as family

    real, calls = family.batched_nms, []
    monkeypatch.setattr(family, "batched_nms", lambda *args: calls.append(args) or real(*args))
    trace = anatomy.trace(tiny(kind), picture, imgsz=None, conf=conf)
    candidates = trace.head.candidates(trace.run)
    (seen,) = calls
    for ours, theirs in zip((candidates.boxes, candidates.confidence, candidates.class_id), seen, strict=False):
        assert torch.equal(ours, theirs)
    assert len(candidates.anchor) > 20


def test_of_equal_confidences_the_first_anchor_wins(build, picture):
    model = build("yolov8n", picture)
    surgery.zero_classes(model, "all", "all", bias="zero")
    trace = anatomy.trace(model, picture, iou=0.2, **ARGS)
    every = np.arange(504)
    assert (trace.detections.confidence == 0.5).all()
    expected = greedy(trace.decode(every), np.full(504, 0.5), np.zeros(504), 0.2)
    limited = set(trace.detections.anchor.tolist())
    found = {
        int(loser): int(winner)
        for winner, rivals in zip(trace.detections.anchor, trace.detections.suppressed, strict=True)
        for loser in rivals.anchor
    }
    assert found == {loser: winner for loser, winner in expected.items() if winner in limited}
    assert len(found) > 20


def test_those_beyond_the_limit_of_detections_lost_to_nobody(build, picture):
    model = build("yolov8n", picture)
    all_of_them = anatomy.trace(model, picture, iou=0.3, **ARGS).detections
    few = anatomy.trace(model, picture, iou=0.3, max_det=4, **ARGS).detections
    assert np.array_equal(few.anchor, all_of_them.anchor[:4])
    for ours, theirs in zip(few.suppressed, all_of_them.suppressed, strict=False):
        assert np.array_equal(ours.anchor, theirs.anchor)
    assert sum(map(len, all_of_them.suppressed)) > sum(map(len, few.suppressed)) > 0


def test_an_overlap_that_equals_the_threshold_is_judged_as_the_source_judges_it(build, picture):
    """0.3 in float32 exceeds 0.3 in float64, in which torchvision's NMS compares: the box is removed."""
    boxes = torch.tensor([[0.0, 0.0, 6.5, 1.0], [3.5, 0.0, 10.0, 1.0]])
    scores = torch.tensor([0.9, 0.8])
    trace = anatomy.trace(build("yolov8n", picture), picture, **ARGS)
    two = replace(
        trace.head.candidates(trace.run),
        anchor=torch.arange(2),
        class_id=torch.zeros(2, dtype=torch.int64),
        confidence=scores,
        boxes=boxes,
        iou_threshold=0.3,
        survivors=torch.tensor([0]),
    )
    assert torchvision.ops.nms(boxes, scores, 0.3).tolist() == [0]
    lost, winner, _ = losers(two, torch.tensor([0]), torch.tensor([0]))
    assert (lost.tolist(), winner.tolist()) == ([1], [0])


def test_who_lost_to_a_segment_without_a_mask_lost_to_no_detection(build, picture, monkeypatch):
    model = build("yolov8n-seg", picture)
    whole = anatomy.trace(model, picture, iou=0.3, **ARGS).detections
    emptied = max(range(len(whole)), key=lambda i: len(whole.suppressed[i]))
    real = ops.process_mask

    def one_empty(*args, **kwargs):
        masks = real(*args, **kwargs)
        masks[emptied] = 0
        return masks

    monkeypatch.setattr(ops, "process_mask", one_empty)
    less = anatomy.trace(model, picture, iou=0.3, **ARGS).detections
    stay = [i for i in range(len(whole)) if i != emptied]
    assert less.anchor.tolist() == whole.anchor[stay].tolist()
    assert len(whole.suppressed[emptied]) > 0
    for ours, i in zip(less.suppressed, stay, strict=True):
        assert np.array_equal(ours.anchor, whole.suppressed[i].anchor)


def test_an_image_that_nms_had_no_time_for_has_no_candidates(build, picture, monkeypatch):
    model = build("yolov8n", picture)
    clock = iter(range(0, 10**6, 10))
    monkeypatch.setattr(nms.time, "time", lambda: next(clock))
    first, second = anatomy.stream(model, [picture, picture], batch=2, **ARGS)
    assert len(first.detections) > 5
    assert len(first.head.candidates(first.run).anchor) > len(first.detections)
    assert len(second.detections) == 0
    assert len(second.head.candidates(second.run).anchor) == 0


def test_half_precision_boxes_are_shifted_in_single_precision(build, picture):
    """NMS shifts them after they have met a float32 column, so that class 79 stays finite."""
    trace = anatomy.trace(build("yolov8n", picture), picture, **ARGS)
    ending = trace.run.private
    half = trace.run.evolve(private=replace(ending, prediction=ending.prediction.half()))
    candidates = trace.head.candidates(half)
    assert candidates.boxes.dtype == candidates.confidence.dtype == torch.float32
    assert as_nms_saw(candidates).isfinite().all()
