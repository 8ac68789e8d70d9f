"""Positives are those of Ultralytics' own assigner, cell for cell, and every object without one says why."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ultralytics.utils import DEFAULT_CFG_DICT

import anatomy
import diagnosis

FAMILIES = ["yolov8n", "yolov8n-p2", "yolov8n-seg", "yolov8n-pose", "yolo11n", "yolov3-tiny", "yolov10n", "yolo26n"]
BOXES = np.array([[10, 12, 90, 100], [60, 20, 180, 120], [100, 5, 112, 19], [0, 0, 192, 128]], np.float64)


def own_answer(model, picture, boxes, labels, branch):
    """What Ultralytics' criterion assigns on an unfused forward pass, and its loss items."""
    net = model.model.eval().float()
    known = net.args if isinstance(net.args, dict) else vars(net.args)
    net.args = SimpleNamespace(**{**DEFAULT_CFG_DICT, **known})
    criterion = net.init_criterion()
    criterion = getattr(criterion, branch, criterion)
    frame = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    height, width = picture.shape[:2]
    boxes = torch.as_tensor(boxes, dtype=torch.float32)
    middle, side = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    batch = {"batch_idx": torch.zeros(len(boxes)), "cls": torch.as_tensor(labels).float()}
    batch["bboxes"] = torch.cat((middle, side), 1) / torch.tensor([width, height, width, height])
    with torch.no_grad():
        raw = net(frame)[1]
        raw = raw.get(branch, raw)
        (positive, owner, *_), items, _ = criterion.get_assigned_targets_and_loss(raw, batch)
    return torch.where(positive[0], owner[0].long(), -1), items


@pytest.mark.parametrize(
    ("name", "nms"), [*((name, None) for name in FAMILIES), ("yolov10n", False), ("yolo26n", False)]
)
def test_positives_are_those_of_the_models_own_criterion(build, picture, name, nms):
    model = build(name, picture)
    labels = np.arange(len(BOXES)) % len(model.names)
    found = diagnosis.assign(model, picture, BOXES, labels, imgsz=192, nms=nms)
    owner, items = own_answer(model, picture, BOXES, labels, found.trace.branch)
    mine = np.full(len(owner), -1)
    mine[found.anchor] = found.object
    assert np.mean(mine == owner.numpy()) > 0.999  # fused and unfused convolutions round differently
    losses = found.trace.targets(BOXES, labels).losses
    assert [float(share.sum()) for share in losses.values()] == pytest.approx(items.tolist(), rel=2e-3)


def test_each_branch_is_assigned_by_its_own_settings(build, picture):
    model = build("yolo26n", picture)
    many = diagnosis.assign(model, picture, BOXES, [0, 1, 2, 3], imgsz=192)
    one = diagnosis.assign(model, picture, BOXES, [0, 1, 2, 3], imgsz=192, nms=False)
    assert (many.settings["topk"], many.settings["topk2"]) == (10, 10)
    assert (one.settings["topk"], one.settings["topk2"]) == (7, 1)
    assert one.counts.sum(1).max() == 1


def test_every_field_agrees_with_the_pass(demo, scene):
    image, boxes, labels = scene
    found = diagnosis.assign(demo, image, boxes, labels)
    trace = found.trace
    assert (found.counts.sum(1) <= found.settings["topk"]).all()
    assert np.array_equal(found.counts.sum(0), np.bincount(found.level, minlength=3))
    assert (found.counts <= found.inside).all()
    places = (
        anatomy.trace(demo, image).letterbox.to_input(found.center) / np.array([8, 16, 32])[found.level, None] - 0.5
    )
    assert np.allclose(places, np.stack((found.col, found.row), 1))
    flat = np.concatenate([level.flatten(1).numpy() for level in trace.logits], 1)
    assert np.allclose(found.score, 1 / (1 + np.exp(-flat[labels[found.object], found.anchor])), atol=1e-6)
    expected = found.score ** found.settings["alpha"] * found.overlap ** found.settings["beta"]
    assert np.allclose(found.alignment, expected, atol=1e-5)
    assert (np.diff(found.alignment) <= 0).all()
    assert found.target.max() <= 1
    assert found.to_df().height == len(found.anchor)
    assert str(found).startswith("12 objects, ")
    assert not len(found.without)


def test_a_trace_is_taken_in_place_of_an_image_and_nothing_is_run(demo, scene):
    image, boxes, labels = scene
    trace = anatomy.trace(demo, image)
    names = [demo.names[int(label)] for label in labels]
    again = diagnosis.assign(None, trace, boxes, names)
    assert again.to_df().equals(diagnosis.assign(demo, image, boxes, labels).to_df())


def test_an_object_without_a_positive_says_why(demo, scene):
    image, boxes, labels = scene
    trace = anatomy.trace(demo, image)
    twins = np.concatenate((boxes[:1],) * 2)
    found = diagnosis.assign_trace(trace, twins, [labels[0]] * 2)
    assert found.why == ("", "taken")
    assert found.taken[1] > 0
    lost = diagnosis.assign_trace(trace, [[400.0, 440, 402, 470]], ["drop"])
    assert lost.why[0] in ("no_overlap", "")
    assert "gets none" in str(found)


def test_no_objects_is_an_answer(demo, scene):
    found = diagnosis.assign(demo, scene[0], [], [])
    assert len(found) == len(found.anchor) == 0
    assert found.counts.shape == (0, 3)
    assert found.to_df().height == 0


@pytest.mark.parametrize(
    ("boxes", "labels", "message"),
    [
        ([[1, 2, 3]], [0], r"\(n, 4\) xyxy px"),
        ([[10, 10, 50, 50]], [0, 1], "1 boxes and 2 labels"),
        ([[10, 10, 5, 50]], [0], "centres and sizes"),
        ([[10, np.nan, 50, 50]], [0], "must be finite"),
        ([[700, 10, 750, 50]], [0], "px of the original"),
        ([[0.1, 0.1, 0.5, 0.5]], [0], "Multiply normalized boxes"),
        ([[10, 10, 50, 50]], ["sofa"], "does not exist"),
        ([[10, 10, 50, 50]], [99], "out of range"),
    ],
)
def test_objects_are_checked_at_the_door(demo, scene, boxes, labels, message):
    with pytest.raises(ValueError, match=message):
        diagnosis.assign(demo, scene[0], boxes, labels)


@pytest.mark.parametrize("name", ["yolov8n-obb", "yolo26n-seg", "yolo26n-pose"])
def test_heads_whose_assigner_wants_more_than_boxes_are_refused(build, picture, name):
    model = build(name, picture)
    with pytest.raises(anatomy.UnsupportedModelError, match="boxes alone do not say"):
        diagnosis.assign(model, picture, BOXES, [0] * 4, imgsz=192)
