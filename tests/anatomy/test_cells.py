"""Flat anchors, cells and anchor points by hand, on levels of 2 × 3 and 1 × 2 cells."""

import numpy as np
import pytest
import torch

from anatomy import Pyramid

SHAPES = ((2, 3), (1, 2))
STEPS = ((8, 8), (16, 16))
PLACES = [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0), (0, 1, 1), (0, 1, 2), (1, 0, 0), (1, 0, 1)]  # of anchors 0 to 7


def pyramid(per_cell: int = 1, steps=STEPS, offset: float = 0.5) -> Pyramid:
    return Pyramid(SHAPES, steps, offset, per_cell)


def as_tuples(found) -> list[tuple[int, int, int]]:
    return list(zip(found.level.tolist(), found.row.tolist(), found.col.tolist(), strict=True))


def test_anchors_run_along_rows_then_levels():
    assert as_tuples(pyramid().cells(range(8))) == PLACES
    assert [pyramid().anchor(*place) for place in PLACES] == list(range(8))
    assert as_tuples(pyramid().cells([7, 0, 3])) == [PLACES[7], PLACES[0], PLACES[3]]


def test_anchors_of_one_cell_follow_each_other():
    assert as_tuples(pyramid(2).cells(range(16))) == [place for place in PLACES for _ in range(2)]


@pytest.mark.parametrize(("given", "per_cell", "last"), [([8], 1, 7), ([-1], 1, 7), ([3, 16], 2, 15), ([-1, 0], 2, 15)])
def test_anchors_outside_are_refused(given, per_cell, last):
    with pytest.raises(ValueError, match=f"Anchors run from 0 to {last} here, but {min(given)} to {max(given)} came"):
        pyramid(per_cell).cells(given)


def test_no_anchors_are_no_cells():
    assert as_tuples(pyramid().cells([])) == []
    assert pyramid().points([]).shape == (0, 2)


@pytest.mark.parametrize("place", [(0, 2, 0), (0, 0, 3), (0, -1, 0), (0, 0, -1), (1, 1, 0), (1, 0, 2)])
def test_cells_outside_are_refused(place):
    rows, cols = SHAPES[place[0]]
    message = rf"Cell \({place[1]}, {place[2]}\) is outside the {rows} × {cols} grid of level {place[0]}"
    with pytest.raises(ValueError, match=message):
        pyramid().anchor(*place)


@pytest.mark.parametrize(
    ("steps", "offset", "points"),
    [
        (STEPS, 0.5, [(4, 4), (20, 12), (24, 8)]),
        (STEPS, 0.0, [(0, 0), (16, 8), (16, 0)]),
        (((8, 10), (16, 20)), 0.5, [(4, 5), (20, 15), (24, 10)]),
    ],
)
def test_anchor_points_are_xy(steps, offset, points):
    found = pyramid(steps=steps, offset=offset).points([0, 5, 7])
    np.testing.assert_allclose(found, points)


def test_the_lattice_of_a_level_is_in_steps():
    found = pyramid().lattice(0, torch.zeros(1, dtype=torch.float16))
    assert found.shape == (1, 2, 2, 3) and found.dtype == torch.float16
    assert found[0, 0].tolist() == [[0.5, 1.5, 2.5]] * 2
    assert found[0, 1].tolist() == [[0.5] * 3, [1.5] * 3]
