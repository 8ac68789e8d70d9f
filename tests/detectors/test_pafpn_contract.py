"""anatomy, surgery, diagnosis and viz work on this detector through its description alone."""

import numpy as np
import pytest
import torch

import anatomy
import diagnosis
import surgery
import viz
from detectors.pafpn import PLACES, PafpnDetector

ARGS = {"conf": 0.3, "iou": 0.5, "imgsz": 192}


@pytest.fixture(params=[(), tuple(PLACES)], ids=["described", "repaired"])
def net(request, picture):
    """A random detector, every cell of which is likely to be an object, with class rows of unit scale."""
    torch.manual_seed(1)
    classes = ["ball", "box", "star", "ring", "heart"]
    net = PafpnDetector(classes, (8, 16, 32, 64), (1, 1, 1, 1), normalized=request.param).eval()
    frame = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        for head, level in zip(net.heads, net(frame), strict=True):
            features = level.features[0].flatten(1)
            features = features - features.mean(1, keepdim=True)
            head.classify.weight.copy_(torch.randn_like(head.classify.weight))
            logits = torch.einsum("kc,ca->ka", head.classify.weight[:, :, 0, 0], features)
            head.classify.weight.div_(logits.std())
            center = torch.einsum("kc,c->k", head.classify.weight[:, :, 0, 0], level.features[0].flatten(1).mean(1))
            head.classify.bias.copy_(-center - 1.0)
            head.detect.bias.fill_(2.0)
    return net


def test_the_description_says_what_runs(net, picture):
    levels = anatomy.levels(net)
    assert [(level.name, level.stride, level.in_channels) for level in levels] == [
        ("P3", 8, 16), ("P4", 16, 16), ("P5", 32, 16)
    ]  # fmt: skip
    modules = dict(net.named_modules())
    trace = anatomy.trace(net, picture, **ARGS)
    assert trace.input_shape == (128, 192)
    for level, logits, features in zip(levels, trace.logits, trace.features, strict=True):
        assert logits.shape == (5, 128 / level.stride, 192 / level.stride)
        with torch.no_grad():
            assert torch.allclose(modules[level.path](features[None])[0], logits, atol=1e-4)


def test_every_detection_comes_from_its_anchor_and_scores_class_times_objectness(net, picture):
    trace = anatomy.trace(net, picture, **ARGS)
    found = trace.detections
    assert len(found) > 5
    assert len(set(found.level)) > 1
    decoded = trace.letterbox.to_original(trace.decode(found.anchor)).clip(0, (192, 128, 192, 128))
    assert np.allclose(decoded, found.xyxy, atol=1e-4)
    objectness = torch.cat([level.flatten() for level in trace.objectness()])
    scores = torch.from_numpy(found.logits).sigmoid() * objectness[torch.as_tensor(found.anchor)][:, None]
    assert np.allclose(scores.amax(1), found.confidence, atol=1e-6)
    assert (scores.argmax(1).numpy() == found.class_id).all()


def test_replay_equals_a_fresh_pass_after_every_edit_and_reset_brings_the_bits_back(net, picture):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    trace = anatomy.trace(net, picture, **ARGS)
    for edit in (
        lambda: surgery.shift_classes(net, "P4", 2),
        lambda: surgery.zero_classes(net, 0, "box"),
        lambda: surgery.bias_classes(net, "all", ["star"], 0.5),
        lambda: surgery.mute_level(net, "P3"),
    ):
        edit()
        fresh = anatomy.trace(net, picture, **ARGS)
        assert fresh.to_df().equals(trace.replay().to_df())
        assert not fresh.to_df().equals(trace.to_df())
    assert all(level > 0 for level in trace.replay().detections.level)
    surgery.reset(net)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert anatomy.trace(net, picture, **ARGS).to_df().equals(trace.to_df())


def test_its_own_predictions_are_the_traced_ones(net, picture):
    (prediction,) = net.predict(picture, **ARGS)
    trace = anatomy.trace(net, picture, **ARGS)
    assert np.array_equal(prediction.boxes.numpy(), trace.detections.xyxy)
    assert np.array_equal(prediction.class_id.numpy(), trace.detections.class_id)


def test_its_training_is_told_cell_by_cell(net, picture):
    trace = anatomy.trace(net, picture, **ARGS)
    boxes, labels = np.array([[20.0, 10, 60, 50], [70.0, 20, 180, 110]]), np.array([1, 3])
    told = trace.targets(boxes, labels)
    encoded = net.encode(torch.tensor(boxes), torch.tensor(labels), (128, 192))
    assert torch.equal(told.object >= 0, torch.cat([level[4].flatten() for level in encoded]) > 0)
    frame = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        losses = net.loss(net(frame), [level[None] for level in encoded])
    assert float(sum(part.sum() for part in told.losses.values())) == pytest.approx(float(losses.total), rel=1e-4)
    assigned = diagnosis.assign(net, picture, boxes, labels, imgsz=192)
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


def test_saving_an_edited_one_is_refused_with_a_remedy(net, tmp_path):
    with pytest.raises(anatomy.UnsupportedModelError, match=r"PafpnDetector has no checkpoint format.*state_dict"):
        surgery.save(net, tmp_path / "edited.pt")
    assert list(tmp_path.iterdir()) == []


def test_figures_are_drawn(net, picture):
    trace = anatomy.trace(net, picture, **ARGS)
    assert len(viz.heatmaps(trace).axes) >= 3
    assert viz.detections(trace).axes
