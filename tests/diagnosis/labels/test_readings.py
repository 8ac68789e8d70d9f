"""Readings of written boxes: hand-computed, inverse to each other, named, and honest about points."""

from itertools import product

import numpy as np
import pytest

from diagnosis import CODES, Reading
from diagnosis.labels.forms import FORMATS, FRAMES, ORDERS, TURNS, UNITS, XXYY
from diagnosis.labels.grammar import readings, weight

BOX = np.array([[0.1, 0.2, 0.5, 0.4]])  # shares of an image of 200 × 100 px
SIZE = (200, 100)


@pytest.mark.parametrize(
    ("reading", "written"),
    [
        (Reading(), [0.3, 0.3, 0.4, 0.2]),
        (Reading(order="xy_swapped", format="xywh"), [0.2, 0.1, 0.4, 0.2]),
        (Reading(order="axes_swapped"), [0.3, 0.3, 0.2, 0.4]),
        (Reading(format="xywh"), [0.1, 0.2, 0.4, 0.2]),
        (Reading(format="x2y2wh"), [0.5, 0.4, 0.4, 0.2]),
        (Reading(format="xyxy"), [0.1, 0.2, 0.5, 0.4]),
        (Reading(format="xyxy_as_xywh"), [0.35, 0.4, 0.5, 0.4]),
        (Reading(format="xxyy"), [0.1, 0.5, 0.2, 0.4]),
        (Reading(unit="px"), [60, 30, 80, 20]),
        (Reading(unit="px", format="xyxy"), [20, 20, 100, 40]),
        (Reading(unit=1000.0), [300, 300, 400, 200]),
        (Reading(unit="wrong_side"), [0.6, 0.15, 0.8, 0.1]),
        (Reading(unit="width"), [0.3, 0.15, 0.4, 0.1]),
        (Reading(unit="height"), [0.6, 0.3, 0.8, 0.2]),
        (Reading(frame="letterbox"), [0.3, 0.4, 0.4, 0.1]),
        (Reading(frame="letterbox_end"), [0.3, 0.15, 0.4, 0.1]),
        (Reading(turn="flipped_horizontally"), [0.7, 0.3, 0.4, 0.2]),
        (Reading(turn="flipped_vertically"), [0.3, 0.7, 0.4, 0.2]),
        (Reading(turn="rotated_180"), [0.7, 0.7, 0.4, 0.2]),
        (Reading(turn="rotated_90_cw"), [0.7, 0.3, 0.2, 0.4]),
        (Reading(turn="rotated_90_ccw"), [0.3, 0.7, 0.2, 0.4]),
        (Reading(turn="rotated_90_cw", unit="px"), [70, 60, 20, 80]),
        (Reading(size=0.5), [0.3, 0.3, 0.2, 0.1]),
        (Reading(shift=(0.01, -0.02)), [0.31, 0.28, 0.4, 0.2]),
        (Reading(scale=(0.5, 1.0)), [0.15, 0.3, 0.2, 0.2]),
    ],
    ids=str,
)
def test_what_is_written_and_what_it_stands_for(reading, written):
    assert reading.written(BOX, SIZE) == pytest.approx(np.array([written]))
    assert reading.boxes([written], SIZE) == pytest.approx(BOX)


def test_every_reading_takes_back_what_it_writes():
    rng = np.random.default_rng(0)
    low = rng.random((20, 2)) * 0.5
    boxes = np.concatenate((low, low + 0.05 + rng.random((20, 2)) * 0.4), 1)
    size = rng.integers(100, 700, (20, 2))
    formats, units = (*FORMATS, XXYY), (*UNITS, 100.0)
    for order, form, unit, frame, turn in product(ORDERS, formats, units[::2], FRAMES, TURNS):
        reading = Reading(
            order=order, format=form, unit=unit, frame=frame, turn=turn, size=0.5, shift=(0.01, -0.02), scale=(1.1, 0.9)
        )
        assert np.allclose(reading.boxes(reading.written(boxes, size), size), boxes), str(reading)
        points = reading.pointwise
        assert np.allclose(points.points(points.written_points(low, size), size), low), str(reading)


def test_a_side_that_is_negative_stays_so():
    found = Reading(format="xyxy", turn="rotated_90_cw").boxes([[0.5, 0.2, 0.1, 0.4]], SIZE)
    assert (found[:, 2:] > found[:, :2]).tolist() == [[True, False]]


def test_codes_are_codes_of_findings():
    for reading in readings(np.ones((1, 4))) + readings(np.full((1, 4), 640.0)):
        assert set(reading.codes) <= set(CODES)
        assert bool(reading.codes) == (reading != Reading())


@pytest.mark.parametrize(
    ("reading", "codes"),
    [
        (Reading(), ()),
        (Reading(unit="px", format="xyxy", order="axes_swapped"), ("axes_swapped", "pixels_xyxy")),
        (Reading(format="xywh", turn="rotated_180"), ("corner_as_centre", "rotated_180")),
        (Reading(shift=(0.05, 0.05)), ("shifted",)),
        (Reading(scale=(0.9, 0.9), shift=(0.05, 0.05)), ("scaled",)),  # about the centre of the image
        (Reading(scale=(0.9, 0.9), shift=(0.3, 0.3)), ("scaled", "shifted")),
        (Reading(size=1.3), ("scaled",)),
    ],
)
def test_departures_are_named(reading, codes):
    assert reading.codes == codes


def test_no_two_hypotheses_are_the_same_and_the_simplest_come_first():
    found = readings(np.ones((1, 4)))
    assert found[0] == Reading()
    weights = list(map(weight, found))
    assert weights == sorted(weights)
    assert Reading(order="axes_swapped") in found
    assert Reading(turn="transposed") not in found  # the same in shares


def test_units_are_weighed_that_the_numbers_allow():
    assert not any(reading.unit == "px" for reading in readings(np.full((9, 4), 0.5)))
    assert not any(reading.unit == "wrong_side" for reading in readings(np.full((9, 4), 400.0)))
    assert any(reading.unit == 100.0 for reading in readings(np.full((9, 4), 90.0)))


def test_polygons_have_no_format():
    found = readings(np.ones((1, 4)), polygons=True)
    assert {reading.format for reading in found} == {"cxcywh"}
    assert all(reading == reading.pointwise for reading in found)


def test_points_of_a_reading_of_boxes_are_refused():
    with pytest.raises(ValueError, match="Points have no box format"):
        Reading(format="xyxy").points([[0.1, 0.2]], SIZE)
    assert Reading(format="xyxy", turn="rotated_180").pointwise.points([[0.1, 0.2]], SIZE).tolist() == [[0.9, 0.8]]


@pytest.mark.parametrize("wrong", [{"order": "no"}, {"unit": "mm"}, {"unit": -1.0}, {"size": 0.0}, {"turn": "left"}])
def test_what_is_no_reading_is_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        Reading(**wrong)


def test_of_readings_that_are_one_the_likelier_is_named():
    twice = Reading(order="wh_swapped", turn="flipped_horizontally")
    rare = Reading(order="xy_swapped", turn="rotated_90_ccw")
    quads, size = np.array([[0.3, 0.4, 0.2, 0.1]]), (640, 480)
    assert np.allclose(twice.boxes(quads, size), rare.boxes(quads, size))
    weighed = readings(quads)
    assert twice in weighed
    assert rare not in weighed
