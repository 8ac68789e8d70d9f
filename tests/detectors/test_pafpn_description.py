"""What is this detector's own in the way that anatomy and diagnosis read it; the laws are in ``tests/contract``."""

import copy

import numpy as np
import pytest
import torch

import anatomy
import diagnosis
import viz
from tests.class_rows import as_frame
from tests.contract import lending
from tests.contract.families import OURS as ARGS
from tests.contract.rows import PICTURE


@pytest.fixture(params=["pafpn as described", "pafpn repaired"])
def net(request):
    """A copy of a random detector, every cell of which is likely to be an object."""
    return copy.deepcopy(lending.network(lending.called(request.param)))


def test_every_detection_comes_from_its_anchor_and_scores_class_times_objectness(net):
    trace = anatomy.trace(net, PICTURE, **ARGS)
    found = trace.detections
    assert len(found) > 5
    assert len(set(found.level)) > 1
    decoded = trace.letterbox.to_original(trace.decode(found.anchor)).clip(0, (128, 64, 128, 64))
    assert np.allclose(decoded, found.xyxy, atol=1e-4)
    objectness = torch.cat([level.flatten() for level in trace.objectness()])
    scores = torch.from_numpy(found.logits).sigmoid() * objectness[torch.as_tensor(found.anchor)][:, None]
    assert np.allclose(scores.amax(1), found.confidence, atol=1e-6)
    assert (scores.argmax(1).numpy() == found.class_id).all()


def test_its_training_is_told_cell_by_cell(net):
    trace = anatomy.trace(net, PICTURE, **ARGS)
    boxes, labels = np.array([[20.0, 10, 60, 50], [70.0, 20, 120, 60]]), np.array([1, 3])
    told = trace.targets(boxes, labels)
    encoded = net.encode(torch.tensor(boxes), torch.tensor(labels), PICTURE.shape[:2])
    assert torch.equal(told.object >= 0, torch.cat([level[4].flatten() for level in encoded]) > 0)
    frame = as_frame(PICTURE)
    with torch.no_grad():
        losses = net.loss(net(frame), [level[None] for level in encoded])
    assert float(sum(part.sum() for part in told.losses.values())) == pytest.approx(float(losses.total), rel=1e-4)
    assigned = diagnosis.assign(net, PICTURE, boxes, labels, imgsz=128)
    assert set(assigned.trace.names.values()) == set(net.names.values())
    strides = assigned.trace.pyramid.steps
    for level, row, col, centre in zip(assigned.level, assigned.row, assigned.col, assigned.center, strict=True):
        assert centre.tolist() == [col * strides[level][0], row * strides[level][1]]  # grid_offset is 0


def test_its_steps_by_hand_are_those_of_a_pass(net):
    head, images = net.describe_head(), torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        outputs = head.forward(images, "one2many")
        expected = net.boxes(net(images))
        boxes = []
        for index, (read, logits, raw) in enumerate(zip(outputs.inputs, outputs.logits, outputs.raw, strict=True)):
            again = head.level_outputs(index, read, "one2many")
            assert torch.equal(again[0], logits)
            boxes.append(head.level_boxes(index, again[1]).flatten(2))
            assert torch.equal(again[1], raw)
    assert torch.allclose(torch.cat(boxes, 2).permute(0, 2, 1), expected, atol=1e-4)


def test_targets_are_what_the_layout_says(net):
    report = diagnosis.check_targets(net.encode, diagnosis.TargetLayout(**net.layout))
    assert [finding for finding in report.findings if finding.severity == "error"] == []


def test_figures_are_drawn(net):
    trace = anatomy.trace(net, PICTURE, **ARGS)
    assert len(viz.heatmaps(trace).axes) >= 3
    assert viz.detections(trace).axes
