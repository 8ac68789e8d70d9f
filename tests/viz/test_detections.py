"""Boxes, cells, rivals, labels and the legend of ``viz.detections``."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba

import viz
from viz import level_color

unlaid = pytest.mark.usefixtures("unlaid")


@pytest.fixture(scope="module")
def trace(stage, hot):
    """A bird at P3 with a rival at P4, a cat at P5, another at P4."""
    cells = [hot(0, 2, 3, 0, 3.0, 2.0), hot(2, 3, 2, 1, 2.0), hot(1, 6, 9, 1, 1.5), hot(1, 1, 1, 0, 1.0, 1.0)]
    return stage((128, 192), cells, imgsz=192, kept=[0, 1, 2])


def labels(figure, artists):
    return [label.get_text() for label in artists(figure, "label")]


@unlaid
def test_boxes_are_grouped_and_coloured_by_level(trace, artists):
    figure = viz.detections(trace)
    for name in ("P3", "P4", "P5"):
        (boxes,) = artists(figure, f"boxes:{name}")
        assert len(boxes.get_paths()) == 1
        assert np.allclose(boxes.get_edgecolor()[0], to_rgba(level_color(name)))


@unlaid
def test_a_rival_is_dashed_in_the_colour_of_its_own_level(trace, artists):
    assert [len(group) for group in trace.detections.suppressed] == [1, 0, 0]
    (rivals,) = artists(viz.detections(trace), "rivals:P4")
    assert len(rivals.get_paths()) == 1
    assert np.allclose(rivals.get_edgecolor()[0], to_rgba(level_color("P4")))
    assert rivals.get_linestyle()[0][1] is not None and rivals.get_linewidth()[0] < 1
    assert not artists(viz.detections(trace, rivals=False), "rivals:P4")


def test_labels_say_class_confidence_level_and_cell(trace, artists):
    figure = viz.detections(trace)
    assert labels(figure, artists) == ["bird 0.95\nP3 (2, 3)", "cat 0.88\nP5 (3, 2)", "cat 0.82\nP4 (6, 9)"]
    assert labels(viz.detections(trace, label=False), artists) == []


@unlaid
def test_the_legend_counts_levels_and_rivals(trace):
    texts = [text.get_text() for text in viz.detections(trace).legends[0].get_texts()]
    assert {"P3, stride 8: 1", "P4, stride 16: 1", "P5, stride 32: 1", "suppressed rivals: 1"} <= set(texts)


@unlaid
def test_only_the_most_confident_are_labelled_and_the_figure_says_so(trace, artists):
    figure = viz.detections(trace, most=2)
    assert labels(figure, artists) == ["bird 0.95\nP3 (2, 3)", "cat 0.88\nP5 (3, 2)"]
    assert figure.legends[0].get_title().get_text() == "Labels: the 2 most confident of 3 detections."


def test_labels_do_not_cover_one_another(stage, hot, artists):
    trace = stage((128, 192), [hot(1, 3, col, col % 3) for col in range(9)], imgsz=192)
    figure = viz.detections(trace)
    hulls = [label.get_window_extent() for label in artists(figure, "label")]
    assert len(hulls) == 9
    assert not any(a.overlaps(b) for i, a in enumerate(hulls) for b in hulls[:i])
    frame = figure.axes[0].get_window_extent().padded(2)
    assert all(frame.contains(*hull.min) and frame.contains(*hull.max) for hull in hulls)


def test_a_thousand_detections_stay_a_figure(stage, hot, artists):
    cells = [hot(0, row, col, (row + col) % 3, 1.0, 1.0) for row in range(25) for col in range(40)]
    figure = viz.detections(stage((200, 320), cells, imgsz=320))
    (boxes,) = artists(figure, "boxes:P3")
    assert len(boxes.get_paths()) == 1000
    assert len(labels(figure, artists)) <= 30
    assert "30 most confident of 1000" in figure.legends[0].get_title().get_text()


@unlaid
def test_a_rotated_box_is_drawn_by_its_corners(stage, hot, artists):
    rotated = torch.tensor([[[50.0, 20.0], [80.0, 50.0], [50.0, 80.0], [20.0, 50.0]]])
    trace = stage((128, 192), [hot(0, 2, 3)], imgsz=192, rotated=rotated)
    (box,) = artists(viz.detections(trace), "boxes:P3")
    assert box.get_paths()[0].vertices[:4].tolist() == rotated[0].tolist()
    texts = [legend.get_title().get_text() for legend in viz.distribution(trace, 0).legends]
    assert "before it is rotated" in texts[0]
