"""Everything works through the description alone: a detector with points at cell corners and two anchors a cell."""

import pickle

import numpy as np
import pytest
import torch

import anatomy
import diagnosis
import viz
from tests.corner_net import ANCHORS, BINS, STRIDES, CornerNet
from viz.canvas import frame

CONF = 0.92
BOXES, LABELS = np.array([[0.0, 0, 80, 80], [30.0, 40, 61, 71]]), [1, 2]


@pytest.fixture
def net():
    return CornerNet()


@pytest.fixture
def trace(net, picture):
    return anatomy.trace(net, picture, conf=CONF)


def points_of(trace, anchors) -> np.ndarray:
    return trace.head._by_hand(trace.run)[0].T[anchors].numpy()


def test_a_trace_says_which_anchor_of_which_cell_made_a_detection(trace):
    found, places = trace.detections, trace.places()
    assert set(found.level) == {0, 1} and set(places.turn[found.anchor]) == {0, 1}
    assert np.array_equal(trace.points(), points_of(trace, slice(None)))
    assert np.array_equal(found.center, points_of(trace, found.anchor))
    for i, anchor in enumerate(found.anchor.tolist()):
        level, row, col, turn = found.level[i], found.row[i], found.col[i], places.turn[anchor]
        assert anchor == trace.pyramid.anchor(level, row, col, turn)
        mine = trace.run.logits[level][:, row, col].chunk(ANCHORS)[turn]
        assert np.array_equal(found.logits[i], mine)
        assert found.confidence[i] == pytest.approx(float(mine.sigmoid().max()))
    height, width = trace.image.shape[:2]
    assert np.allclose(trace.decode(found.anchor).clip(0, (width, height, width, height)), found.xyxy)


def test_scores_are_told_anchor_by_anchor(trace):
    assert trace.scores().shape == (4, trace.pyramid.count)
    assert torch.equal(trace.anchor_logits(), trace.head._one_after_another(trace.run.logits))
    best = trace.scores().amax(0).numpy()
    assert np.allclose(best[trace.detections.anchor], trace.detections.confidence)
    assert torch.allclose(trace.objectness()[1], trace.logits[1].sigmoid().amax(0))


def test_an_object_is_held_against_what_boxes_can_reach_from_their_own_points(trace):
    result = diagnosis.missed(trace, BOXES, LABELS, iou=0.9, positives=True)
    assert result.found.tolist() == [-1, -1]
    for i, row in enumerate(result.candidates):
        for candidate in row:
            x, y = points_of(trace, candidate.anchor)
            assert (candidate.col, candidate.row) == (x / STRIDES[candidate.level], y / STRIDES[candidate.level])
            far = (BINS - 1) * STRIDES[candidate.level]
            low = np.maximum(BOXES[i, :2], (x - far, y - far))
            high = np.minimum(BOXES[i, 2:], (x + far, y + far))
            drawn = np.minimum(low, (x, y)), np.maximum(high, (x, y))
            shared = np.prod(np.minimum(drawn[1], BOXES[i, 2:]) - np.maximum(drawn[0], BOXES[i, :2]))
            area = np.prod(drawn[1] - drawn[0]) + np.prod(BOXES[i, 2:] - BOXES[i, :2])
            assert candidate.reach == pytest.approx(shared / (area - shared))


def test_positives_are_told_by_their_cells_points_and_own_logits(net, trace):
    assigned = diagnosis.assign(net, trace, BOXES, LABELS)
    assert set(assigned.level) == {0} and (assigned.anchor % ANCHORS == 1).all()
    assert np.array_equal(assigned.center, points_of(trace, assigned.anchor))
    assert np.array_equal(assigned.center, np.stack((assigned.col, assigned.row), 1) * STRIDES[0])
    counts = [100, 16]  # points at 0, 8, … 72 along each side; at 32, 40, 48, 56 and 40, 48, 56, 64
    assert assigned.inside.tolist() == [[ANCHORS * count, 0] for count in counts]
    assert assigned.counts.sum() == len(assigned.anchor) == 100
    own = trace.head._one_after_another(trace.run.logits)[np.array(LABELS)[assigned.object], assigned.anchor]
    assert np.allclose(assigned.score, own.sigmoid())


def test_the_loss_of_every_anchor_goes_to_its_level(net, trace):
    split = diagnosis.loss_by_level(net, trace, BOXES, LABELS)
    assert split.cells.sum(1).tolist() == list(trace.pyramid.counts)
    assert split.values[1, 3, 0] == pytest.approx(trace.pyramid.counts[1] * STRIDES[1] / 1000)
    assert split.values[0, :, 0].sum() == pytest.approx(100 + trace.pyramid.counts[0] * STRIDES[0] / 1000)


def test_its_grid_is_found_as_it_declares_it(net):
    report = diagnosis.check_grid(net)
    assert report.codes == (), str(report)
    for level in report.levels:
        assert np.allclose(level.aim.offset, 0, atol=0.05)
        assert np.allclose(level.sight.offset, 0.5, atol=0.2)  # it looks at the whole cell, whose corner is its point
        assert np.allclose(level.sight.declared, np.stack((level.sight.col, level.sight.row), 1) * level.stride)


def test_its_receptive_field_is_its_cell(net, picture):
    field = anatomy.receptive_field(net, "P4", 3, 4, images=picture)
    assert field.point.tolist() == [64, 48]
    assert field.theoretical.tolist() == [64, 48, 80, 64]
    assert field.theoretical_shift.tolist() == [8, 8]
    assert ((field.extent >= (64, 48, 64, 48)) & (field.extent <= (80, 64, 80, 64))).all()


@pytest.mark.parametrize("method", ["layercam", "multiscale"])
def test_its_detections_are_explained(trace, method):
    made = diagnosis.attribute(trace, 0, method)
    place = trace.places([made.subject.anchor])
    assert (made.subject.level, made.subject.row, made.subject.col) == (place.level[0], place.row[0], place.col[0])
    assert made.map.shape == trace.image.shape[:2] and np.abs(made.map).max() > 0


def test_maps_of_a_level_stand_where_its_points_are(trace):
    level = int(trace.detections.level[0])
    own = diagnosis.attribute(trace, 0, "layercam")
    named = diagnosis.attribute(trace, 0, "layercam", layer=trace.levels[level].name)
    assert own.heat.offset == named.heat.offset == 0
    assert own.heat.step == named.heat.step == (STRIDES[level], STRIDES[level])
    assert np.allclose(own.map, named.map, atol=1e-5)


def test_edges_of_its_boxes_are_refused_with_what_is_wanting(trace):
    with pytest.raises(anatomy.UnsupportedModelError, match=r"Give its head a method level_boxes\(level, raw\)"):
        diagnosis.attribute(trace, 0, "layercam", what="left")


def test_who_takes_the_place_of_a_detection(trace):
    evidence = diagnosis.level_evidence(trace, [0, 1])
    assert len(evidence.to_df()) == 4


def test_figures_are_drawn(net, trace, tmp_path):
    figures = [
        viz.heatmaps(trace),
        viz.detections(trace),
        viz.features(trace),
        viz.distribution(trace, 0),
        viz.compare(trace, trace),
        viz.missed(diagnosis.missed(trace, BOXES, LABELS, iou=0.9)),
        viz.assignment(diagnosis.assign(net, trace, BOXES, LABELS)),
        viz.loss_by_level(diagnosis.loss_by_level(net, trace, BOXES, LABELS)),
        viz.grid(diagnosis.check_grid(net)),
        viz.receptive_field(anatomy.receptive_field(net, 0, images=trace)),
        viz.attribution(diagnosis.attribute(trace, 0, "layercam")),
    ]
    for number, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{number}.png", dpi=50)
        assert figure.axes


def test_cells_and_points_are_drawn_where_they_lie(trace):
    figure = viz.anchor_grid(trace, "P4")
    (points,) = figure.findobj(lambda artist: artist.get_gid() == "points:P4")
    assert points.get_offsets().tolist() == [[16 * col, 16 * row] for row in range(8) for col in range(12)]
    x, y = frame.cell_edges(trace, 1)
    assert x.tolist() == [16 * col - 8 for col in range(13)] and y.tolist() == [16 * row - 8 for row in range(9)]
    assert frame.cell_boxes(trace, 1, 2, 3).tolist() == [[40, 24, 56, 40]]
    assert frame.cell_at(trace, 1, 41, 39) == (2, 3)


def test_the_explorer_reads_it(net, trace, picture):
    explorer = viz.Explorer(net, picture, conf=CONF)
    explorer.pick(191, 127)
    facts = explorer.facts()
    assert facts.center.tolist() == points_of(trace, facts.anchor).tolist()


def test_a_trace_that_travels_keeps_its_pyramid(trace):
    far = pickle.loads(pickle.dumps(trace))
    assert far.pyramid == trace.pyramid
    assert np.array_equal(far.corners, trace.corners)
    assert torch.equal(far.scores(), trace.scores()) and torch.equal(far.anchor_logits(), trace.anchor_logits())
    here, there = (diagnosis.missed(one, BOXES, LABELS, iou=0.9).to_df() for one in (trace, far))
    assert here.equals(there)
