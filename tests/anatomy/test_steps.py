"""The network run step by step through its head's description gives what the traced pass gave, with gradient."""

import numpy as np
import pytest
import torch

import anatomy
from detectors.fastvit import FastViTDetector
from tests.families import CASES, label


@pytest.mark.parametrize("case", CASES, ids=label)
def test_the_network_on_the_frame_gives_the_logits_of_the_trace(traced, case):
    trace = traced(case)
    head = trace.head
    with torch.no_grad():
        outputs = head.forward(trace.frame[None].clone(), trace.branch)
    for ours, logits in zip(outputs.logits, trace.logits, strict=True):
        torch.testing.assert_close(ours[0], logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", CASES, ids=label)
def test_the_head_alone_gives_the_logits_and_the_boxes_of_the_trace(traced, case):
    trace = traced(case)
    head = trace.head
    start = 0
    for level, ((rows, cols), inputs) in enumerate(zip(trace.shapes, trace.inputs, strict=True)):
        with torch.no_grad():
            logits, raw = head.level_outputs(level, inputs[None].clone(), trace.branch)
        torch.testing.assert_close(logits[0], trace.logits[level], rtol=1e-4, atol=1e-4)
        if "obb" in case[0]:
            with pytest.raises(anatomy.UnsupportedModelError, match="rotated"):
                head.level_boxes(level, raw)
        else:
            ours = head.level_boxes(level, raw)[0].flatten(1).T
            expected = trace.decode(np.arange(start, start + rows * cols))
            np.testing.assert_allclose(ours, expected, atol=1e-3)
        start += rows * cols


@pytest.mark.parametrize("case", [("yolov8n", None, False), ("yolo26n", False, False)], ids=label)
def test_gradient_flows_from_a_box_and_a_logit_to_the_image(traced, case):
    trace = traced(case)
    head = trace.head
    frame = trace.frame[None].clone().requires_grad_()
    outputs = head.forward(frame, trace.branch)
    value = outputs.logits[1].sum() + head.level_boxes(1, outputs.raw[1]).sum()
    assert torch.autograd.grad(value, frame)[0].abs().sum() > 0


def test_our_own_detector_runs_step_by_step(picture):
    torch.manual_seed(0)
    model = FastViTDetector(3, "fastvit_t8", branches=1)
    trace = anatomy.trace(model, picture, imgsz=192, conf=0.001)
    head = anatomy.describe(model.eval())
    with torch.no_grad():
        outputs = head.forward(trace.frame[None].clone(), trace.branch)
        logits, raw = head.level_outputs(1, trace.inputs[1][None].clone(), trace.branch)
    for ours, theirs in zip(outputs.logits, trace.logits, strict=True):
        torch.testing.assert_close(ours[0], theirs)
    torch.testing.assert_close(logits[0], trace.logits[1])
    rows, cols = trace.shapes[0]
    ours = head.level_boxes(1, raw)[0].flatten(1).T
    np.testing.assert_allclose(ours, trace.decode(rows * cols + np.arange(ours.shape[0])), atol=1e-3)


def test_a_description_that_does_not_say_is_named(picture):
    class Silent(anatomy.Head):
        net = torch.nn.Identity()
        class_conv = twins = passes = finish = found = candidates = xyxy = None

    Silent.__abstractmethods__ = frozenset()
    for ask in (
        lambda head: head.forward(None, "b"),
        lambda head: head.level_outputs(0, None, "b"),
        lambda head: head.level_boxes(0, None),
    ):
        with pytest.raises(anatomy.UnsupportedModelError, match="does not say how to run its network step by step"):
            ask(Silent())
