"""anatomy, surgery and viz work on this detector through its description alone."""

import cv2
import numpy as np
import pytest
import torch

import anatomy
import surgery
import viz
from detectors.fastvit import FastViTDetector, NaiveDetector, load

ARGS = {"conf": 0.3, "iou": 0.5, "imgsz": 192}
KINDS = {"repaired": FastViTDetector, "published": NaiveDetector}


@pytest.fixture(params=KINDS)
def net(request, picture):
    """A random detector whose class rows are scaled so that some cells of every level detect something."""
    torch.manual_seed(1)
    net = KINDS[request.param](["ball", "box", "star", "ring", "heart"], "fastvit_t8", branches=1).eval()
    frame = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        for head, level in zip(net.heads, net(frame), strict=True):
            features = level.features[0].flatten(1)
            head.classify.weight.copy_(torch.randn_like(head.classify.weight))
            logits = torch.einsum("kc,ca->ka", head.classify.weight[:, :, 0, 0], features)
            head.classify.weight.div_(logits.std())
            head.classify.bias.copy_(-logits.mean(1) / logits.std() - 1.5)
    return net


def test_the_description_says_what_runs(net, picture):
    levels = anatomy.levels(net)
    assert [(level.name, level.stride, level.in_channels) for level in levels] == [
        ("P3", 8, 96), ("P4", 16, 192), ("P5", 32, 384)
    ]  # fmt: skip
    modules = dict(net.named_modules())
    trace = anatomy.trace(net, picture, **ARGS)
    assert trace.input_shape == (128, 192)
    for level, logits, features in zip(levels, trace.logits, trace.features, strict=True):
        assert logits.shape == (5, 128 / level.stride, 192 / level.stride)
        with torch.no_grad():
            assert torch.allclose(modules[level.path](features[None])[0], logits, atol=1e-4)


def test_every_detection_comes_from_its_anchor(net, picture):
    trace = anatomy.trace(net, picture, **ARGS)
    found = trace.detections
    assert len(found) > 5
    assert len(set(found.level)) > 1
    decoded = trace.letterbox.to_original(trace.decode(found.anchor)).clip(0, (192, 128, 192, 128))
    assert np.allclose(decoded, found.xyxy, atol=1e-4)
    scores = torch.from_numpy(found.logits).sigmoid()
    assert np.allclose(scores.amax(1), found.confidence, atol=1e-6)
    assert (scores.argmax(1).numpy() == found.class_id).all()
    assert [float(level.amax()) for level in trace.objectness()] == [
        pytest.approx(float(level.sigmoid().amax()), abs=1e-6) for level in trace.logits
    ]


def test_suppressed_rivals_are_the_rest_of_the_candidates(net, picture):
    trace = anatomy.trace(net, picture, **ARGS)
    above = sum(int((level.sigmoid().amax(0) > ARGS["conf"]).sum()) for level in trace.logits)
    assert sum(map(len, trace.detections.suppressed)) == above - len(trace.detections)
    for detection, rivals in enumerate(trace.detections.suppressed):
        assert (rivals.class_id == trace.detections.class_id[detection]).all()
        assert (rivals.confidence <= trace.detections.confidence[detection]).all()


def test_replay_equals_a_fresh_pass_after_every_edit_and_reset_brings_the_bits_back(net, picture):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    trace = anatomy.trace(net, picture, **ARGS)
    for edit in (
        lambda: surgery.shift_classes(net, "P4", 2),
        lambda: surgery.zero_classes(net, 0, "box"),
        lambda: surgery.bias_classes(net, "all", ["star"], 0.5),
        lambda: surgery.mute_level(net, "P5"),
    ):
        edit()
        fresh = anatomy.trace(net, picture, **ARGS)
        assert fresh.to_df().equals(trace.replay().to_df())
        assert all(torch.equal(a, b) for a, b in zip(fresh.logits, trace.replay().logits, strict=True))
        assert not fresh.to_df().equals(trace.to_df())
    surgery.reset(net)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert anatomy.trace(net, picture, **ARGS).to_df().equals(trace.to_df())


def test_an_edited_detector_is_saved_and_opens_by_itself(net, picture, tmp_path):
    surgery.shift_classes(net, "P3", 1)
    edited = anatomy.trace(net, picture, **ARGS)
    again = load(surgery.save(net, tmp_path / "edited.pt"))
    assert anatomy.trace(again, picture, **ARGS).to_df().equals(edited.to_df())


def test_a_history_that_was_saved_can_be_undone(net, picture, tmp_path):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    surgery.shift_classes(net, "P3", 1)
    surgery.save(net, tmp_path / "edited.pt")
    again = surgery.load(tmp_path / "edited.pt", opener=load)
    assert surgery.history(again) == surgery.history(net)
    surgery.undo(again)
    assert all(torch.equal(value, before[name]) for name, value in again.state_dict().items())


def test_a_detector_with_merged_branches_is_read_alike(net, picture):
    before = anatomy.trace(net, picture, **ARGS)
    after = anatomy.trace(net.reparameterize(), picture, **ARGS)
    for a, b in zip(before.logits, after.logits, strict=True):
        assert torch.allclose(a, b, atol=1e-3)
    surgery.shift_classes(net, "P3", 1)
    assert after.replay().to_df().equals(anatomy.trace(net, picture, **ARGS).to_df())


def test_its_own_predictions_are_the_traced_ones(net, picture):
    net.train()
    (prediction,) = net.predict(picture, **ARGS)
    assert net.training
    trace = anatomy.trace(net, picture, **ARGS)
    assert np.array_equal(prediction.boxes.numpy(), trace.detections.xyxy)
    assert np.array_equal(prediction.class_id.numpy(), trace.detections.class_id)


def test_sources_are_files_folders_lists_and_arrays(net, picture, tmp_path):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), picture)
    (tmp_path / "notes.txt").write_text("no image")
    expected = anatomy.trace(net, picture, **ARGS).to_df()
    sources = (tmp_path, [tmp_path / "a.png", picture], str(tmp_path / "b.png"))
    for source, count in zip(sources, (2, 2, 1), strict=True):
        traces = list(anatomy.stream(net, source, **ARGS))
        assert len(traces) == count
        assert all(trace.to_df().equals(expected) for trace in traces)
    assert traces[0].path == str(tmp_path / "b.png")


def test_an_image_of_any_shape_is_letterboxed(net):
    rng = np.random.default_rng(2)
    for shape in ((97, 300, 3), (300, 51, 3), (1, 1, 3)):
        trace = anatomy.trace(net, rng.integers(0, 255, shape, dtype=np.uint8), **ARGS)
        assert max(trace.input_shape) == 192
        found = trace.detections.xyxy
        assert (found >= 0).all()
        assert (found <= [shape[1], shape[0]] * 2).all()


@pytest.mark.parametrize(
    ("source", "args", "message"),
    [
        (np.zeros((8, 8, 5), np.uint8), {}, r"An image array is uint8.*shape \(8, 8, 5\) was given"),
        (np.zeros((8, 8, 3), np.uint8), {"conf": 2}, "conf must be from 0 to 1"),
        (np.zeros((8, 8, 3), np.uint8), {"iou": -1}, "iou must be from 0 to 1"),
        (np.zeros((8, 8, 3), np.uint8), {"imgsz": 0}, "imgsz must be a positive"),
    ],
)
def test_wrong_sources_and_arguments_are_refused(net, source, args, message):
    with pytest.raises(ValueError, match=message):
        anatomy.trace(net, source, **args)


def test_its_training_is_told_cell_by_cell(net, picture):
    trace = anatomy.trace(net, picture, **ARGS)
    boxes, labels = np.array([[20.0, 10, 60, 50], [70.0, 20, 180, 110]]), np.array([1, 3])
    if isinstance(net, NaiveDetector):
        with pytest.raises(TypeError, match="does not say how it is trained"):
            trace.targets(boxes, labels)
        return
    told = trace.targets(boxes, labels)
    encoded = net.encode(torch.tensor(boxes), torch.tensor(labels), (128, 192))
    assert torch.equal(told.object >= 0, torch.cat([level[4].flatten() for level in encoded]) > 0)
    assert (told.picked <= told.inside).all()
    frame = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        losses = net.loss(net(frame), [level[None] for level in encoded])
    assert float(sum(part.sum() for part in told.losses.values())) == pytest.approx(float(losses.total), rel=1e-4)


def test_figures_are_drawn(net, picture):
    trace = anatomy.trace(net, picture, **ARGS)
    assert len(viz.heatmaps(trace).axes) >= 3
    assert viz.detections(trace).axes
