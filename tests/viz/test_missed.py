"""Missed objects are bold, found ones thin, and the reason stands in words beside them."""

import numpy as np
import pytest
from ultralytics import YOLO

import anatomy
import diagnosis
import viz
from detectors import demo_scene, demo_weights


@pytest.fixture(scope="module")
def result():
    scene = demo_scene()
    trace = anatomy.trace(YOLO(demo_weights()), scene.image[..., ::-1].copy(), conf=0.9)
    return diagnosis.missed(trace, scene.boxes, scene.labels)


def count(artists, figure, gid):
    return sum(len(drawn.get_paths()) for drawn in artists(figure, gid))


def test_every_object_is_drawn_once_as_what_it_is(result, artists):
    figure = viz.missed(result)
    assert count(artists, figure, "found") == 5
    assert count(artists, figure, "missed") == 7
    (bold,), (thin,) = artists(figure, "missed"), artists(figure, "found")
    assert bold.get_linewidth()[0] > 2 * thin.get_linewidth()[0]
    corner = np.array([path.vertices[0] for path in bold.get_paths()])
    assert np.allclose(corner, result.boxes[result.objects, :2])


def test_the_candidate_that_came_nearest_is_drawn_in_the_colour_of_its_level(result, artists):
    figure = viz.missed(result)
    for level in result.trace.levels:
        nearest = (result.best[result.objects] == level.index).sum()
        assert count(artists, figure, f"candidate:{level.name}:True") == nearest


def test_labels_give_the_reason(result, artists):
    text = " ".join(note.get_text().replace("\n", " ") for note in artists(viz.missed(result), "label"))
    for i in result.objects:
        assert result.reason(int(i)) in text


def test_left_out_labels_are_counted(result):
    assert "5 of 7 left out" in viz.missed(result, most=2).legends[0].get_title().get_text()


def test_nothing_missed_is_drawn_too(result, pixels, artists):
    scene = demo_scene()
    trace = anatomy.trace(YOLO(demo_weights()), scene.image[..., ::-1].copy())
    figure = viz.missed(diagnosis.missed(trace, scene.boxes, scene.labels))
    assert count(artists, figure, "missed") == 0
    assert figure.axes[0].get_title() == "0 of 12 objects missed"
    assert pixels(figure).any()
    assert pixels(viz.missed(diagnosis.missed(trace, [], []))).any()
