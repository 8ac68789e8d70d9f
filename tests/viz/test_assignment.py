"""Cells, colours and counts of an assignment are where the assignment says."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from ultralytics import YOLO

import diagnosis
import viz
from detectors import demo_scene, demo_weights
from viz.canvas.frame import cell_boxes
from viz.figures.assignment import LEAST, MOST, object_color

unlaid = pytest.mark.usefixtures("unlaid")


@pytest.fixture(scope="module")
def assigned():
    scene = demo_scene()
    return diagnosis.assign(YOLO(demo_weights()), scene.image[..., ::-1].copy(), scene.boxes, scene.labels)


@unlaid
def test_every_positive_is_drawn_in_its_place_and_colour(assigned, artists):
    figure = viz.assignment(assigned)
    for index, level in enumerate(assigned.trace.levels):
        (drawn,) = artists(figure, f"positives:{level.name}")
        here = np.flatnonzero(assigned.level == index)[::-1]
        assert len(drawn.get_paths()) == len(here)
        places = cell_boxes(assigned.trace, assigned.level[here], assigned.row[here], assigned.col[here])
        corner = np.array([path.vertices[0] for path in drawn.get_paths()])
        assert np.allclose(corner, places[:, :2])
        alpha = LEAST + (MOST - LEAST) * assigned.target[here]
        colors = [to_rgba(object_color(i), a) for i, a in zip(assigned.object[here], alpha, strict=True)]
        assert np.allclose(drawn.get_facecolors(), colors)


def test_titles_count_and_labels_name(assigned, artists):
    figure = viz.assignment(assigned)
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert titles[0] == "12 objects: positive cells P3 + P4 + P5"
    assert titles[1] == f"P3, stride 8: {assigned.counts[:, 0].sum()} positive cells, 8 objects"
    assert any("0 drop\n0 + 0 + 10" in note.get_text() for note in artists(figure, "label"))


@unlaid
def test_one_level_has_one_panel(assigned, artists):
    figure = viz.assignment(assigned, level="P4", strength="alignment", label=False)
    assert len(figure.axes) == 1
    assert len(artists(figure, "positives:P4")) == 1
    assert not artists(figure, "positives:P3")
    assert not artists(figure, "label")


@unlaid
def test_an_object_without_a_positive_is_dashed_and_says_why(assigned, artists):
    twins = np.concatenate((assigned.boxes[:1],) * 2)
    figure = viz.assignment(diagnosis.assign_trace(assigned.trace, twins, assigned.labels[[0, 0]]))
    (dashed,) = artists(figure, "without:1")[:1]
    assert dashed.get_linestyle()[0][1] is not None
    assert any(diagnosis.SPARED["taken"] in note.get_text() for note in artists(figure, "label"))


def test_no_object_and_crowds_are_drawn(assigned, pixels):
    none = viz.assignment(diagnosis.assign_trace(assigned.trace, [], []))
    assert pixels(none).shape[2] == 4
    crowd = replace(assigned)
    assert "first 3 of 12" in viz.assignment(crowd, most=3).legends[0].get_title().get_text()


def test_wrong_choices_are_refused(assigned):
    with pytest.raises(ValueError, match="strength must be"):
        viz.assignment(assigned, strength="iou")
    with pytest.raises(ValueError, match="does not exist"):
        viz.assignment(assigned, level="P9")


@unlaid
def test_rotated_boxes_are_drawn_turned(assigned, artists):
    boxes = assigned.boxes
    turned = np.stack((boxes[:, [0, 1]] + 5, boxes[:, [2, 1]], boxes[:, [2, 3]] - 5, boxes[:, [0, 3]]), 1)
    figure = viz.assignment(replace(assigned, corners=turned), level="P4", label=False)
    first = int(assigned.object[assigned.level == 1].min())
    (drawn,) = artists(figure, f"object:{first}")
    assert np.allclose(drawn.get_paths()[0].vertices[:4], turned[first])
