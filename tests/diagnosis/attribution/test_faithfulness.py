"""Insertion, deletion, pointing games and the randomization test, against numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import diagnosis

from .patch_net import RedHead, red_patch, red_trace


@pytest.fixture
def trace():
    image, _ = red_patch((256, 256), (100, 100), 32)
    return red_trace(image, 1)


def given(trace, values, what="logit", **heat):
    """An attribution whose map is what we say, on the px of the network input."""
    made = diagnosis.attribute(trace, 0, "box fill", what=what)
    return replace(made, heat=replace(made.heat, grid=np.asarray(values, np.float32), **heat))


def test_the_box_of_a_network_that_sees_the_box_alone_is_right_at_once(trace):
    patch = np.zeros((256, 256))
    patch[84:116, 84:116] = 1  # 1.6 % of the photograph
    right = diagnosis.faithfulness(given(trace, patch), ("curves",))
    wrong = diagnosis.faithfulness(given(trace, 1 - patch), ("curves",))
    assert right.insertion > 0.97 and right.deletion < wrong.deletion and right.difference > 0.3
    assert wrong.difference < -0.3 and right.passes == 40
    assert right.pointing is right.energy is right.randomization is None


def test_the_ends_of_the_curves_are_the_photograph_and_nothing(trace):
    found = diagnosis.faithfulness(given(trace, np.zeros((256, 256))), ("curves",), steps=4, batch=2).curves
    np.testing.assert_allclose(found.share, [0, 1 / 16, 1 / 4, 9 / 16, 1])
    probability = 1 / (1 + np.exp(-diagnosis.subject(trace).value))
    assert found.whole == pytest.approx(probability, rel=1e-4)  # the best anchor is that of the detection, of IoU 1
    assert found.deletion[0] == found.insertion[-1] == 1
    assert found.deletion[-1] == found.insertion[0] < 1
    area = sum(
        (a + b) / 2 * width
        for a, b, width in zip(found.deletion, found.deletion[1:], np.diff(found.share), strict=False)
    )
    assert found.area("deletion") == pytest.approx(area)


def test_pixels_go_in_the_order_of_the_map_and_padding_stays():
    image, _ = red_patch((90, 400), (100, 40), 20)
    trace = red_trace(image, 0)
    seen = []
    forward = trace.head.forward
    trace.head.forward = lambda frames, branch: (seen.append(frames.clone()), forward(frames, branch))[1]
    diagnosis.faithfulness(given(trace, np.arange(64.0)[:, None] * np.ones((1, 256))), ("curves",), steps=2)
    deleted = seen[2][0]  # after the whole photograph and the empty one: a quarter of the rows, from below
    untouched = (deleted == trace.frame).all(0)
    padding = 3
    assert untouched[: padding + 43].all() and untouched[64 - padding :].all()
    assert not untouched[padding + 44 : 64 - padding].any()


def test_what_is_left_of_an_edge_is_how_near_the_number_stays(trace):
    made = diagnosis.attribute(trace, 0, "box fill", what="left")
    found = diagnosis.faithfulness(made, ("curves",), steps=3).curves  # a constant: nothing moves it
    assert set(found.deletion.tolist()) | set(found.insertion.tolist()) == {1.0}


@pytest.fixture
def cell_of_red():
    """64 × 64 px of black whose P3 cell (3, 4) has a redness of 0.2, and a map that takes it away quarter by quarter.

    By 1/16, 1/4, 9/16 and all of the px in the order of the map, one, two, three and four quarters of it are gone.
    """
    image = np.zeros((64, 64, 3), np.uint8)
    image[24:32, 32:40, 0] = 51
    inside = np.zeros((64, 64), bool)
    inside[24:32, 32:40] = True
    rest, order = np.flatnonzero(~inside).tolist(), []
    quarters = [np.flatnonzero(inside & (np.arange(64) // 2 == column)).tolist() for column in (16, 17, 18, 19)]
    for quarter, share in zip(quarters, (1 / 16, 1 / 4, 9 / 16, 1), strict=True):
        order += quarter
        missing = int(share * 4096) - len(order)
        order, rest = order + rest[:missing], rest[missing:]
    values = np.empty(4096)
    values[order] = np.arange(4096, 0, -1)
    return image, values.reshape(64, 64)


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_inner_points_of_the_curves_of_a_class_by_hand(cell_of_red, batch):
    image, values = cell_of_red
    trace = red_trace(image, 0, imgsz=64)
    assert (trace.detections.row[0], trace.detections.col[0]) == (3, 4)
    made = diagnosis.faithfulness(given(trace, values), ("curves",), steps=4, replace="black", batch=batch)
    # the cell's logit is 8 times its redness, less 1; all other boxes have an IoU of 0.5 with its own at most
    left = [1 / (1 + np.exp(1 - 8 * 0.2 * part)) for part in (1, 0.75, 0.5, 0.25, 0)]
    assert made.curves.whole == pytest.approx(left[0], rel=1e-5)
    np.testing.assert_allclose(made.curves.deletion, np.array(left) / left[0], rtol=1e-5)
    np.testing.assert_allclose(made.curves.insertion, np.array(left[::-1]) / left[0], rtol=1e-5)
    assert made.passes == 8
    widths = np.array([1, 3, 5, 7]) / 16
    area = sum((a + b) / 2 * width for a, b, width in zip(left, left[1:], widths, strict=False)) / left[0]
    assert made.deletion == pytest.approx(area, rel=1e-5)
    assert made.difference == pytest.approx(made.insertion - area, rel=1e-5)


def test_inner_points_of_the_curves_of_an_edge_by_hand(cell_of_red, monkeypatch):
    def with_redness(self, level, x, branch):  # the box reaches 10 times as many strides as its cell is red
        return self.net.head[level](x), 10 * x[:, :1].repeat(1, 4, 1, 1)

    monkeypatch.setattr(RedHead, "level_outputs", with_redness)
    image, values = cell_of_red
    made = given(red_trace(image, 0, imgsz=64), values, what="left")
    assert made.subject.value == pytest.approx((4.5 - 2) * 8)
    found = diagnosis.faithfulness(made, ("curves",), steps=4, replace="black").curves
    assert found.whole == pytest.approx(20)
    np.testing.assert_allclose(found.deletion, [1, 0.75, 0.5, 0.25, 0], atol=1e-5)
    np.testing.assert_allclose(found.insertion, [0, 0.25, 0.5, 0.75, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("values", "box", "pointing", "energy"),
    [
        ({(10, 20): 3.0, (200, 20): 1.0}, [15, 5, 30, 15], 1.0, 0.75),
        ({(10, 20): 1.0, (200, 20): 3.0}, [15, 5, 30, 15], 0.0, 0.25),
        ({(10, 20): 2.0, (200, 20): 2.0}, [15, 5, 30, 15], 0.5, 0.5),
        ({(10, 20): -2.0}, [15, 5, 30, 15], 0.0, 0.0),
        ({(10, 20): 1.0, (11, 20): -5.0}, [20, 10, 21, 11], 1.0, 1.0),
    ],
)
def test_pointing_games(trace, values, box, pointing, energy):
    grid = np.zeros((256, 256))
    for place, value in values.items():
        grid[place] = value
    found = diagnosis.faithfulness(given(trace, grid), ("box",), box=box)
    assert (found.pointing, found.energy) == pytest.approx((pointing, energy))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parts": ("beauty",)}, "parts must be of curves, box, randomization, but 'beauty' was given"),
        ({"steps": 1}, "at least 2 steps, but 1 was given"),
        ({"shuffles": 0}, "shuffles must be at least 1, but 0 was given"),
        ({"box": [1, 2]}, "box must be \\(4,\\) xyxy px"),
        ({"replace": "pink"}, "mean, blur, black, but 'pink'"),
    ],
)
def test_errors_at_the_door(trace, arguments, message):
    with pytest.raises(ValueError, match=message):
        diagnosis.faithfulness(diagnosis.attribute(trace, 0, "odam"), **arguments)


def test_evidence_in_words(trace):
    made = diagnosis.attribute(trace, 0, "integrated gradients", steps=8)
    words = str(diagnosis.faithfulness(made, steps=3))
    for part in ("insertion", "deletion", "pointing game", "energy in the box", "completeness error", "randomization"):
        assert part in words


def test_drise_stops_when_it_has_converged_and_when_it_is_interrupted(trace, monkeypatch):
    quick = {"progress": False, "batch": 64}
    early = diagnosis.attribute(trace, 0, "drise", masks=2000, converged=0.5, **quick)
    assert early.heat.note.startswith("converged after ") and early.heat.passes < 2000
    assert early.map[84:116, 84:116].mean() > 0 > early.map.min()
    same = diagnosis.attribute(trace, 0, "drise", masks=2000, converged=0.5, **quick)
    np.testing.assert_array_equal(early.map, same.map)
    forward, calls = trace.head.forward, []

    def interrupted(frames, branch):
        calls.append(len(frames))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return forward(frames, branch)

    monkeypatch.setattr(trace.head, "forward", interrupted)
    cut = diagnosis.attribute(trace, 0, "drise", masks=2000, **quick)
    assert cut.heat.note == "interrupted after 128 masks" and cut.heat.passes == 128


def test_a_trace_computed_anew_has_the_maps_of_now_and_the_detections_of_then(trace):
    again = trace.recomputed()
    for ours, then in zip((*again.logits, *again.inputs), (*trace.logits, *trace.inputs), strict=True):
        torch.testing.assert_close(ours, then)
    with torch.no_grad():
        trace.head.net.stem.weight.mul_(2)
    doubled = trace.recomputed()
    torch.testing.assert_close(doubled.inputs[0], 2 * trace.inputs[0])
    assert doubled.detections.anchor.tolist() == trace.detections.anchor.tolist()
