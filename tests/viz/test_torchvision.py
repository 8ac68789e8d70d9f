"""Figures and diagnoses of torchvision's FCOS and RetinaNet: several anchors a cell, anchor points at its corner."""

import numpy as np
import pytest

import anatomy
import diagnosis
import surgery
import viz
from tests.anatomy.test_torchvision_head import image
from tests.torchvision_nets import tiny
from viz.canvas.frame import cell_at, cell_boxes, cell_edges
from viz.explorer.facts import explain
from viz.explorer.picture import LivePicture, _coloured

unlaid = pytest.mark.usefixtures("unlaid")

FAMILIES = ["fcos", "retinanet"]


@pytest.fixture(scope="module", params=FAMILIES)
def trace(request):
    conf = {"fcos": 0.65, "retinanet": 0.9}[request.param]
    return anatomy.trace(tiny(request.param), image((200, 280)), conf=conf, iou=0.2, imgsz=None)


def test_cells_lie_around_their_anchor_points(trace):
    assert trace.steps[4] == (128, 96)  # an input of 192 × 256 px under a grid of 2 × 2
    found = trace.detections
    boxes = cell_boxes(trace, found.level, found.row, found.col)
    assert np.allclose((boxes[:, :2] + boxes[:, 2:]) / 2, found.center)
    for i in range(0, len(found), 5):
        assert cell_at(trace, int(found.level[i]), *found.center[i]) == (found.row[i], found.col[i])
        x, y = cell_edges(trace, int(found.level[i]))
        assert np.allclose(boxes[i], [x[found.col[i]], y[found.row[i]], x[found.col[i] + 1], y[found.row[i] + 1]])
    x, y = cell_edges(trace, 4)
    gain = trace.letterbox.gain
    assert np.allclose((x[:-1] + x[1:]) / 2, [0, 128 / gain[0]])
    assert np.allclose((y[:-1] + y[1:]) / 2, [0, 96 / gain[1]])


@pytest.fixture(scope="module", params=FAMILIES)
def wide(request):
    net = tiny(request.param)
    return net, anatomy.trace(net, image((60, 400)), conf=0.65, imgsz=400)


def test_other_levels_are_asked_at_the_same_place_where_steps_are_not_the_stride(wide):
    _, trace = wide
    assert [level.stride for level in trace.levels] == [8, 16, 32, 64, 128]
    assert trace.steps[3:] == ((59, 64), (104, 64))  # an input of 64 × 416 px under grids of 1 × 7 and 1 × 4
    for row, col in ((0, 0), (3, 20), (3, 45), (2, 25), (1, 38)):
        x, y = trace.pyramid.points_at(0, row, col)
        facts = explain(trace, trace.anchor(0, row, col))
        for level, place in enumerate(facts.places):
            left, top, right, bottom = trace.pyramid.outlines(level, *place)
            assert left <= x < right and top <= y < bottom, (level, place)


def test_the_heat_of_several_levels_is_taken_at_the_same_place(wide):
    net, trace = wide
    explorer = viz.Explorer(net, image((60, 400)), conf=0.65, imgsz=400)
    explorer.look([0, 4], 1, "score")
    picture = LivePicture(explorer)
    shown = picture.heat.get_array()
    fine, coarse = (trace.logits[level][1].sigmoid().cpu().numpy() for level in (0, 4))
    expected = np.empty(fine.shape)
    for row, col in np.ndindex(*fine.shape):
        nearest = min(int(col * 8 / 104 + 0.5), 3)
        expected[row, col] = max(fine[row, col], coarse[0, nearest])
    assert np.array_equal(shown, _coloured(expected, 0.0, 1.0))


def test_the_anchor_of_a_cell_is_its_surest(trace):
    logits = trace._run.logits[1].unflatten(0, (trace.anchors_per_cell, -1))[:, :, 3, 4]
    anchor = trace.anchor(1, 3, 4)
    assert anchor % trace.anchors_per_cell == logits.amax(1).argmax()
    place = trace.places([anchor])
    assert (place.level[0], place.row[0], place.col[0]) == (1, 3, 4)
    with pytest.raises(ValueError, match=r"Cell \(99, 0\) is outside"):
        trace.anchor(0, 99, 0)


def test_every_figure_is_drawn(request, trace):
    if trace.anchors_per_cell > 1:  # the levels of both are the same: the figures of one are laid out
        request.getfixturevalue("unlaid")
    assert len(trace.detections) > 5
    for figure in (
        viz.detections(trace),
        viz.heatmaps(trace),
        viz.heatmaps(trace, [1, 2], "score"),
        viz.anchor_grid(trace, level=["P6", "P7"]),
        viz.distribution(trace, 0),
        viz.compare(trace, trace.replay()),
    ):
        figure.canvas.draw()
        assert figure.axes


@unlaid
def test_a_report_tells_every_level(trace, tmp_path):
    report = viz.report(trace, tmp_path / "report", formats=("png",), dpi=50)
    assert "P7" in (report / "index.html").read_text()


@unlaid
def test_the_heat_is_what_the_threshold_is_held_against(trace):
    figure = viz.heatmaps(trace)
    words = " ".join(ax.get_ylabel() + ax.get_xlabel() for ax in figure.axes)
    assert ("largest class probability" in words) == (trace.anchors_per_cell > 1)  # FCOS weighs it with centerness


@unlaid
def test_why_an_object_was_missed(trace):
    found = trace.detections
    everything = np.concatenate((found.xyxy, *(rivals.xyxy for rivals in found.suppressed)))
    classes = np.concatenate((found.class_id, *(rivals.class_id for rivals in found.suppressed)))
    solid = (found.xyxy[:, 2:] - found.xyxy[:, :2] > 1).all(1)
    kept = diagnosis.missed(trace, found.xyxy[solid], found.class_id[solid], iou=0.99)
    assert (kept.found >= 0).all()
    i = next(i for i, rivals in enumerate(found.suppressed) if len(rivals))
    box, label = found.suppressed[i].xyxy[:1], int(found.suppressed[i].class_id[0])
    lost = diagnosis.missed(trace, np.concatenate((found.xyxy[i : i + 1], box)), [found.class_id[i], label], iou=0.99)
    candidate = lost.candidates[1][lost.best[1]]
    assert (lost.stage(1), candidate.by) == ("suppressed", i)
    assert candidate.anchor in found.suppressed[i].anchor
    assert np.isclose(candidate.score, found.suppressed[i].confidence[0])
    assert len(everything) == len(classes) > len(found)
    other = next(c for c in range(5) if c not in set(classes[(everything == found.xyxy[0]).all(1)].tolist()))
    wrong = diagnosis.missed(trace, found.xyxy[:1], [other], iou=0.99)
    assert wrong.stage(0) in ("wrong_class", "confidence")
    assert viz.missed(lost).axes
    assert lost.to_df().shape[0] == 5


@unlaid
def test_the_comparison_of_an_edit_names_what_changed(trace):
    net = trace._head.net
    with surgery.scratch(net):
        surgery.zero_classes(net, "all", int(trace.detections.class_id[0]))
        after = trace.replay()
    joined = anatomy.compare(trace, after)
    assert joined.status[0] in ("gone", "class")
    assert set(joined.status) & {"same"}
    assert viz.compare(trace, after).axes


@pytest.mark.parametrize("family", FAMILIES)
def test_the_grid_is_as_declared(family):
    report = diagnosis.check_grid(tiny(family, levels=3))
    assert report.findings == ()
