"""A red square is all that the network sees: every method finds it, in px of the original, on every level."""

import numpy as np
import pytest
import torch

import diagnosis
from diagnosis.attribution.place import photo_area, to_input, to_original

from .patch_net import STRIDES, red_patch, red_trace

SHAPES = {"wide": (90, 400), "tall": (500, 120), "tiny": (24, 30), "square": (256, 256)}
CHEAP = ("layercam levels", "gradcam", "gradcam++", "layercam", "odam", "eigencam")
QUICK = {
    "drise": {"masks": 400, "progress": False, "batch": 64},
    "kernelshap": {"samples": 120, "regions": 24, "batch": 40},
    "occlusion": {"batch": 32},
    "integrated gradients": {"steps": 16, "batch": 16},
}


def scene(shape, level):
    """A trace of an image with a patch of about one cell of the level, and the patch."""
    height, width = shape
    side = max(1.2 * STRIDES[level] * max(shape) / 256, 2)
    side = min(side, min(shape) * 0.6)
    image, patch = red_patch(shape, (0.62 * width, 0.45 * height), side)
    return red_trace(image, level), patch


def centre_of(values):
    weight = values.clip(0).astype(float)
    y, x = np.mgrid[: values.shape[0], : values.shape[1]] + 0.5
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


CASES = [(method, shape, level) for method in CHEAP for shape in SHAPES for level in range(3)]
CASES += [("integrated gradients", "wide", 0), ("integrated gradients", "tiny", 2), ("occlusion", "tall", 2)]
CASES += [("occlusion", "wide", 1), ("drise", "square", 1), ("drise", "wide", 2)]


@pytest.mark.parametrize(("method", "shape", "level"), CASES)
def test_the_heat_lies_on_the_patch(method, shape, level):
    trace, patch = scene(SHAPES[shape], level)
    made = diagnosis.attribute(trace, 0, method, **QUICK.get(method, {}))
    assert made.map.shape == SHAPES[shape] and made.map.dtype == np.float32
    assert made.signed or made.map.min() >= 0
    cell = STRIDES[level] * max(SHAPES[shape]) / 256  # px of the original
    slack = 1.5 * cell + max(SHAPES[shape]) / 16 if method == "drise" else 0.75 * cell
    y, x = np.unravel_index(made.map.argmax(), made.map.shape)
    assert patch[0] - slack <= x + 0.5 <= patch[2] + slack
    assert patch[1] - slack <= y + 0.5 <= patch[3] + slack
    middle, edge = (patch[:2] + patch[2:]) / 2, np.array(SHAPES[shape][::-1])
    if method in ("layercam", "odam", "gradcam") and (middle > 2.5 * cell).all() and (middle < edge - 2.5 * cell).all():
        np.testing.assert_allclose(centre_of(made.map), middle, atol=0.5 * cell)  # no border cuts its surroundings


@pytest.mark.parametrize("method", ["ablation", "kernelshap"])
@pytest.mark.parametrize(("shape", "level"), [("wide", 0), ("tall", 1), ("square", 2), ("tiny", 1)])
def test_the_superpixels_of_the_patch_speak_for_it(method, shape, level):
    trace, patch = scene(SHAPES[shape], level)
    values = diagnosis.attribute(trace, 0, method, **QUICK.get(method, {"regions": 32, "batch": 32})).map
    area = np.zeros(values.shape, bool)
    area[patch[1] : patch[3], patch[0] : patch[2]] = True
    assert values[area].max() == pytest.approx(values.max(), rel=0.05)
    assert values[area].mean() > 4 * abs(values[~area].mean())


@pytest.mark.parametrize("shape", [(96, 240), (251, 83), (20, 27), (700, 1100)])
@pytest.mark.parametrize("level", range(3))
def test_a_ramp_over_the_cells_is_a_ramp_over_the_photograph(shape, level):
    trace, _ = scene(shape, 0)
    step = STRIDES[level]
    rows, cols = trace.shapes[level]
    for axis, count, pad, gain in (
        (1, cols, trace.letterbox.pad[0], trace.letterbox.gain[0]),
        (0, rows, trace.letterbox.pad[1], trace.letterbox.gain[1]),
    ):
        line = (np.arange(count) + 0.5) * step  # px of the network input at the middle of each cell
        grid = np.broadcast_to(line if axis == 1 else line[:, None], (rows, cols))
        values = to_original(trace, grid, (step, step))
        ours = values[values.shape[0] // 2] if axis == 1 else values[:, values.shape[1] // 2]
        expected = (np.arange(shape[axis]) + 0.5) * gain + pad
        inside = (expected - gain / 2 >= line[0]) & (expected + gain / 2 <= line[-1])
        np.testing.assert_allclose(ours[inside], expected[inside], rtol=1e-4, atol=1e-3)


def test_to_the_input_and_back_and_padding_is_not_the_photograph():
    trace, _ = scene((90, 400), 0)
    area = photo_area(trace)
    assert area.shape == trace.input_shape == (64, 256) and area.sum() == 58 * 256
    values = np.linspace(0, 1, 90 * 400, dtype=np.float32).reshape(90, 400)
    back = to_original(trace, to_input(trace, values), (1, 1))
    np.testing.assert_allclose(back, values, atol=0.02)


def test_a_window_of_the_map_weighs_as_the_whole_map_at_every_border():
    image, _ = red_patch((256, 256), (100, 100), 20)
    trace = red_trace(image, 0)
    rows, cols = trace.shapes[0]
    anchors = [{"anchor": trace.anchor(0, row, col)} for row in (0, 1, 16, rows - 1) for col in (0, 7, cols - 1)]
    for method in ("odam", "gradcam", "gradcam++", "layercam"):
        made = diagnosis.attribute_all(trace, anchors, method, class_id="red")
        for one, place in zip(made, anchors, strict=True):
            whole = diagnosis.attribute(trace, place, method, class_id="red", layer="P3")
            np.testing.assert_allclose(one.heat.grid, whole.heat.grid, atol=1e-5)


def test_what_is_explained_makes_the_map():
    image, _ = red_patch((256, 256), (100, 100), 20)
    trace = red_trace(image, 1)
    assert not diagnosis.attribute(trace, 0, "odam", class_id="nothing").map.any()
    logit, score = (diagnosis.attribute(trace, 0, "odam", what=what).heat.grid for what in ("logit", "score"))
    number = 1 / (1 + np.exp(-diagnosis.subject(trace).value))
    np.testing.assert_allclose(score, logit * number * (1 - number), rtol=1e-4)
    against = diagnosis.attribute(trace, 0, "odam", what="difference", against="nothing").heat.grid
    np.testing.assert_allclose(against, logit, rtol=1e-5)


def test_linear_evidence_adds_up():
    """Where no ReLU switches, gradient times input is the logit without its bias, and nothing is missing."""
    image, _ = red_patch((256, 256), (100, 100), 40)
    trace = red_trace(image, 0)
    made = diagnosis.attribute(trace, 0, "odam")
    assert made.heat.grid.sum() == pytest.approx(made.subject.value + 1, rel=1e-4)
    path = diagnosis.attribute(trace, 0, "integrated gradients", replace="black", steps=20)
    assert path.completeness < 0.02
    assert path.heat.grid.sum() == pytest.approx(made.subject.value + 1, rel=0.03)
    shap = diagnosis.attribute(trace, 0, "kernelshap", samples=100, batch=50)
    assert shap.completeness < 1e-3


def test_explaining_works_where_gradients_are_switched_off():
    trace, _ = scene((256, 256), 0)
    expected = diagnosis.attribute(trace).map
    with torch.no_grad():
        np.testing.assert_array_equal(diagnosis.attribute(trace).map, expected)
    with torch.inference_mode():
        np.testing.assert_array_equal(diagnosis.attribute(trace).map, expected)


def test_occlusion_stays_around_the_box_so_that_small_objects_cost_no_more():
    image, patch = red_patch((256, 256), (70, 180), 12)
    trace = red_trace(image, 0)
    near = diagnosis.attribute(trace, 0, "occlusion", progress=False)
    far = diagnosis.attribute(trace, 0, "occlusion", around=np.inf, progress=False)
    x1, y1, x2, y2 = near.subject.box
    beyond = np.ones(near.map.shape, bool)
    beyond[int(2 * y1 - y2) : int(2 * y2 - y1) + 1, int(2 * x1 - x2) : int(2 * x2 - x1) + 1] = False
    assert not near.map[beyond].any()
    assert 0 < near.heat.passes < 330 < far.heat.passes
    for made in (near, far):
        y, x = np.unravel_index(made.map.argmax(), made.map.shape)
        assert abs(x + 0.5 - patch[[0, 2]].mean()) < 12 and abs(y + 0.5 - patch[[1, 3]].mean()) < 12
    with pytest.raises(ValueError, match="around must be at least 0, but -1 was given"):
        diagnosis.attribute(trace, 0, "occlusion", around=-1)


def test_an_interrupt_keeps_the_maps_that_are_finished(monkeypatch):
    trace, _ = scene((256, 256), 1)
    anchors, forward, calls = [{"anchor": n} for n in (40, 50, 60)], trace.head.forward, []

    def interrupted(frames, branch):
        calls.append(len(frames))
        if len(calls) == limit:
            raise KeyboardInterrupt
        return forward(frames, branch)

    monkeypatch.setattr(trace.head, "forward", interrupted)
    options = {"method": "ablation", "regions": 8, "batch": 100, "progress": False}
    limit = None
    whole = diagnosis.attribute_all(trace, anchors, **options)
    passes, calls[:] = len(calls), []
    limit = passes // 3 + 1  # at the beginning of the second
    (kept,) = diagnosis.attribute_all(trace, anchors, **options)
    np.testing.assert_array_equal(kept.map, whole[0].map)
    calls[:] = []
    limit = 1
    with pytest.raises(KeyboardInterrupt):
        diagnosis.attribute_all(trace, anchors, **options)


def test_a_subject_belongs_to_its_trace():
    (one, _), (other, _) = scene((256, 256), 1), scene((90, 400), 1)
    with pytest.raises(ValueError, match="A subject of another trace was given"):
        diagnosis.attribute(one, diagnosis.subject(other))
