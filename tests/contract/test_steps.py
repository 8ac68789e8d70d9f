"""The network run step by step through its head's description gives what the traced pass gave, with gradient."""

import numpy as np
import pytest
import torch

import anatomy
from tests.contract.families import FAMILIES

STEPPED = [family for family in FAMILIES if "steps" not in family.refuses]


@pytest.fixture(params=STEPPED, ids=str)
def family(request):
    return request.param


def test_the_network_on_the_frame_gives_the_logits_of_the_trace(trace):
    with torch.no_grad():
        outputs = trace.head.forward(trace.frame[None].clone(), trace.branch)
    for ours, logits in zip(outputs.logits, trace.logits, strict=True):
        torch.testing.assert_close(ours[0], logits, rtol=1e-4, atol=1e-4)
    for ours, inputs in zip(outputs.inputs, trace.inputs, strict=True):
        torch.testing.assert_close(ours[0], inputs, rtol=1e-4, atol=1e-4)


def test_the_head_alone_gives_the_logits_and_the_boxes_of_the_trace(family, trace):
    if "one level" in family.refuses:
        pytest.skip("no level runs alone, which test_refusals.py holds")
    for level, (inputs, here) in enumerate(zip(trace.inputs, trace.pyramid.slices, strict=True)):
        with torch.no_grad():
            logits, raw = trace.head.level_outputs(level, inputs[None].clone(), trace.branch)
        torch.testing.assert_close(logits[0], trace.logits[level], rtol=1e-4, atol=1e-4)
        assert raw.shape[2:] == trace.shapes[level]
        if "boxes by level" not in family.refuses:
            ours = trace.head.level_boxes(level, raw)[0].flatten(1).T
            np.testing.assert_allclose(ours, trace.decode(np.arange(here.start, here.stop)), atol=1e-3)


def test_gradient_flows_from_a_box_and_a_logit_to_the_image(family, trace):
    frame = trace.frame[None].clone().requires_grad_()
    outputs = trace.head.forward(frame, trace.branch)
    (seen,) = torch.autograd.grad(outputs.logits[1].sum(), frame, retain_graph=True)
    assert torch.isfinite(seen).all() and seen.abs().sum() > 0
    if "boxes by level" not in family.refuses:
        boxes = trace.head.level_boxes(1, outputs.raw[1])
        (seen,) = torch.autograd.grad(boxes.sum(), frame)
        assert torch.isfinite(seen).all() and seen.abs().sum() > 0


def test_the_network_as_it_is_now_recomputes_the_trace(trace):
    again = trace.recomputed()
    for ours, logits in zip(again.logits, trace.logits, strict=True):
        torch.testing.assert_close(ours, logits, rtol=1e-4, atol=1e-4)


def test_a_description_that_does_not_say_is_named():
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
