"""The point of a cell is read from how its places rise with raw outputs, whatever function makes one of the other."""

import numpy as np
import pytest
from scipy.special import expit

from diagnosis.grid.curves import read_curves

ROWS, COLS = 9, 12


def made(function, away, slope=1.0, passes=3):
    """Declared points, boxes of four distances about points that lie ``away`` from them, raw outputs; in cells."""
    rng = np.random.default_rng(0)
    rows, cols = (np.tile(part.ravel(), passes) for part in np.indices((ROWS, COLS)))
    middle = np.stack((cols, rows), 1) + 0.5
    raw = rng.normal(size=(len(middle), 4))
    point = slope * middle + away
    return middle, np.hstack((point - function(raw[:, :2]), point + function(raw[:, 2:]))), raw


@pytest.mark.parametrize("function", [np.exp, lambda raw: np.logaddexp(0, raw), lambda raw: 3 * expit(raw)])
@pytest.mark.parametrize("away", [(0, 0), (-0.5, 0), (0.25, -1)])
def test_the_point_between_sides_of_any_function(function, away):
    found = read_curves(*made(function, np.array(away)), 0.5)
    assert found is not None
    assert found.offset == pytest.approx(away, abs=0.02)
    assert found.slope == pytest.approx(np.eye(2), abs=0.005)


def test_points_farther_apart_than_cells():
    found = read_curves(*made(np.exp, np.zeros(2), slope=1.1), 0.5)
    assert found is not None
    assert found.slope == pytest.approx(1.1 * np.eye(2), abs=0.005)


@pytest.mark.parametrize("away", [(0, 0), (0, -0.5), (1, 0)])
@pytest.mark.parametrize("function", [expit, lambda raw: raw])
def test_a_centre_beside_its_cell(function, away):
    middle, boxes, raw = made(np.exp, np.zeros(2))
    corner = middle - 0.5
    centre = corner + function(raw[:, :2]) + away
    boxes = np.hstack((centre - np.exp(raw[:, 2:]) / 2, centre + np.exp(raw[:, 2:]) / 2))
    found = read_curves(corner, boxes, raw, 0.0)
    assert found is not None
    assert found.offset == pytest.approx(away, abs=0.02)


def test_places_that_no_output_tells_are_no_curves():
    middle, boxes, raw = made(np.exp, np.zeros(2))
    assert read_curves(middle, boxes, np.random.default_rng(1).normal(size=raw.shape), 0.5) is None


def test_bins_that_are_decoded_with_another_stride():
    found = read_curves(*made(lambda raw: 2 * (raw + 4), np.zeros(2)), 0.5, binned=True)
    assert found is not None
    assert found.reach == pytest.approx(2, abs=0.01)
