"""Placement of labels as plain geometry."""

import numpy as np
import pytest

from viz.canvas.labels import place

FRAME = np.array([0.0, 0.0, 200.0, 100.0])
NOTHING = np.empty((0, 4))


def hulls(size, spots):
    return [np.concatenate((spot, spot + extent)) for spot, extent in zip(spots, size, strict=True) if spot is not None]


def apart(a, b) -> bool:
    return bool(a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1])


def test_no_label_makes_no_spot():
    assert place(np.empty((0, 2)), NOTHING, FRAME, NOTHING) == []


def test_a_label_stands_on_its_box():
    (spot,) = place(np.array([[20.0, 10.0]]), np.array([[50.0, 20.0, 90.0, 60.0]]), FRAME, NOTHING)
    assert spot == pytest.approx([50, 62])


@pytest.mark.parametrize("box", [(0, 80, 40, 100), (190, 90, 200, 100), (-50, -50, 300, 300), (0, 0, 1, 1)])
def test_a_label_stays_inside_the_frame(box):
    (spot,) = place(np.array([[30.0, 12.0]]), np.array([box], dtype=float), FRAME, NOTHING)
    assert (spot >= 0).all() and (spot <= FRAME[2:] - np.array([30, 12])).all()


def test_labels_of_one_place_do_not_cover_one_another():
    size = np.tile([30.0, 10.0], (12, 1))
    found = hulls(size, place(size, np.tile([80.0, 40.0, 100.0, 60.0], (12, 1)), FRAME, NOTHING))
    assert len(found) == 12
    assert all(apart(a, b) for i, a in enumerate(found) for b in found[:i])


def test_what_is_to_be_avoided_is_left_free_where_there_is_room():
    box = np.array([[50.0, 20.0, 90.0, 60.0]])
    avoid = np.array([[45.0, 61.0, 95.0, 75.0]])  # just where the label would stand
    (spot,) = place(np.array([[20.0, 10.0]]), box, FRAME, avoid)
    assert apart(np.concatenate((spot, spot + np.array([20, 10]))), avoid[0])


def test_labels_without_room_are_left_out():
    size = np.tile([150.0, 60.0], (3, 1))
    spots = place(size, np.tile([80.0, 40.0, 100.0, 60.0], (3, 1)), FRAME, NOTHING)
    assert [spot is None for spot in spots] == [False, True, True]
