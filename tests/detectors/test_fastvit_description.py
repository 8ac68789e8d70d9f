"""What is this detector's own in the way that anatomy reads it; the laws are in ``tests/contract``."""

import copy

import cv2
import numpy as np
import pytest
import torch

import anatomy
import surgery
import viz
from detectors.fastvit import NaiveDetector
from tests.class_rows import as_frame
from tests.contract import lending
from tests.contract.families import OURS as ARGS
from tests.contract.rows import PICTURE


@pytest.fixture(params=["fastvit", "fastvit as published"])
def net(request):
    """A copy of a random detector, some cells of which detect something."""
    return copy.deepcopy(lending.network(lending.called(request.param)))


def test_a_cell_is_as_sure_of_an_object_as_of_its_likeliest_class(net):
    trace = anatomy.trace(net, PICTURE, **ARGS)
    for heat, logits in zip(trace.objectness(), trace.logits, strict=True):
        assert float(heat.amax()) == pytest.approx(float(logits.sigmoid().amax()), abs=1e-6)
    scores = torch.from_numpy(trace.detections.logits).sigmoid()
    assert np.allclose(scores.amax(1), trace.detections.confidence, atol=1e-6)


def test_suppressed_rivals_are_the_rest_of_the_candidates(net):
    trace = anatomy.trace(net, PICTURE, **ARGS)
    above = sum(int((level.sigmoid().amax(0) > ARGS["conf"]).sum()) for level in trace.logits)
    assert sum(map(len, trace.detections.suppressed)) == above - len(trace.detections)
    for detection, rivals in enumerate(trace.detections.suppressed):
        assert (rivals.class_id == trace.detections.class_id[detection]).all()
        assert (rivals.confidence <= trace.detections.confidence[detection]).all()


def test_a_detector_with_merged_branches_is_read_alike(net):
    before = anatomy.trace(net, PICTURE, **ARGS)
    after = anatomy.trace(net.reparameterize(), PICTURE, **ARGS)
    for a, b in zip(before.logits, after.logits, strict=True):
        assert torch.allclose(a, b, atol=1e-3)
    surgery.shift_classes(net, "P3", 1)
    assert after.replay().to_df().equals(anatomy.trace(net, PICTURE, **ARGS).to_df())


def test_its_own_predictions_are_the_traced_ones(net):
    net.train()
    (prediction,) = net.predict(PICTURE, **ARGS)
    assert net.training
    trace = anatomy.trace(net, PICTURE, **ARGS)
    assert np.array_equal(prediction.boxes.numpy(), trace.detections.xyxy)
    assert np.array_equal(prediction.class_id.numpy(), trace.detections.class_id)


def test_sources_are_files_folders_lists_and_arrays(net, tmp_path):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), PICTURE)
    (tmp_path / "notes.txt").write_text("no image")
    expected = anatomy.trace(net, PICTURE, **ARGS).to_df()
    sources = (tmp_path, [tmp_path / "a.png", PICTURE], str(tmp_path / "b.png"))
    for source, count in zip(sources, (2, 2, 1), strict=True):
        traces = list(anatomy.stream(net, source, **ARGS))
        assert len(traces) == count
        assert all(trace.to_df().equals(expected) for trace in traces)
    assert traces[0].path == str(tmp_path / "b.png")


def test_an_image_of_any_shape_is_letterboxed(net):
    rng = np.random.default_rng(2)
    for shape in ((97, 300, 3), (300, 51, 3), (1, 1, 3)):
        trace = anatomy.trace(net, rng.integers(0, 255, shape, dtype=np.uint8), **ARGS)
        assert max(trace.input_shape) == 128
        found = trace.detections.xyxy
        assert (found >= 0).all()
        assert (found <= [shape[1], shape[0]] * 2).all()


def test_its_training_is_told_cell_by_cell(net):
    trace = anatomy.trace(net, PICTURE, **ARGS)
    boxes, labels = np.array([[20.0, 10, 60, 50], [70.0, 20, 120, 60]]), np.array([1, 3])
    if isinstance(net, NaiveDetector):
        with pytest.raises(TypeError, match="does not say how it is trained"):
            trace.targets(boxes, labels)
        return
    told = trace.targets(boxes, labels)
    encoded = net.encode(torch.tensor(boxes), torch.tensor(labels), PICTURE.shape[:2])
    assert torch.equal(told.object >= 0, torch.cat([level[4].flatten() for level in encoded]) > 0)
    assert (told.picked <= told.inside).all()
    frame = as_frame(PICTURE)
    with torch.no_grad():
        losses = net.loss(net(frame), [level[None] for level in encoded])
    assert float(sum(part.sum() for part in told.losses.values())) == pytest.approx(float(losses.total), rel=1e-4)


def test_figures_are_drawn(net):
    trace = anatomy.trace(net, PICTURE, **ARGS)
    assert len(viz.heatmaps(trace).axes) >= 3
    assert viz.detections(trace).axes
