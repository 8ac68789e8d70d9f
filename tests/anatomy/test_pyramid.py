"""The anchor arithmetic against loops written out by hand, over offsets, unequal steps and several anchors a cell."""

import numpy as np
import pytest
import torch

from anatomy import Pyramid

SHAPES = ((4, 6), (2, 3), (1, 2))
STEPS = ((8.0, 8.0), (16.0, 15.0), (32.0, 30.0))


@pytest.fixture(params=[(0.5, 1), (0.0, 1), (0.5, 3), (0.25, 2)], ids=str)
def pyramid(request):
    return Pyramid(SHAPES, STEPS, *request.param)


def by_hand(pyramid) -> list[tuple[int, int, int, int]]:
    """(level, row, col, turn) of every anchor, in their order."""
    places = []
    for level, (rows, cols) in enumerate(pyramid.shapes):
        for row in range(rows):
            for col in range(cols):
                places += [(level, row, col, turn) for turn in range(pyramid.anchors_per_cell)]
    return places


def test_index_and_place_are_one_another_s_inverse(pyramid):
    places = by_hand(pyramid)
    cells = pyramid.cells()
    assert pyramid.count == len(places) == 32 * pyramid.anchors_per_cell
    assert list(zip(*(part.tolist() for part in vars(cells).values()), strict=True)) == places
    for index, (level, row, col, turn) in enumerate(places):
        assert pyramid.anchor(level, row, col, turn) == index
        assert type(pyramid.anchor(level, row, col, turn)) is int
    every = np.indices(SHAPES[1])
    assert pyramid.anchor(1, *every).tolist() == [[pyramid.anchor(1, row, col) for col in range(3)] for row in range(2)]


def test_levels_are_slices_of_all_anchors(pyramid):
    level = pyramid.cells().level
    assert [level[here].tolist() for here in pyramid.slices] == [
        [index] * count for index, count in enumerate(pyramid.counts)
    ]
    assert pyramid.starts.tolist() == [0, *np.cumsum(pyramid.counts)]


def test_points_stand_where_offset_and_step_say(pyramid):
    for index, (level, row, col, _) in enumerate(by_hand(pyramid)):
        (step_x, step_y), offset = STEPS[level], pyramid.offset
        expected = [(col + offset) * step_x, (row + offset) * step_y]
        assert pyramid.points([index])[0].tolist() == expected
        assert pyramid.points_at(level, row, col).tolist() == expected
        box = pyramid.outlines(level, row, col)
        assert ((box[:2] + box[2:]) / 2).tolist() == pytest.approx(expected)
        assert (box[2:] - box[:2]).tolist() == pytest.approx(STEPS[level])
        x, y = pyramid.edges(level)
        assert [x[col], y[row], x[col + 1], y[row + 1]] == pytest.approx(box.tolist())
        assert pyramid.at(level, expected) == (row, col)
    assert pyramid.points().shape == (pyramid.count, 2)
    assert pyramid.points([]).shape == (0, 2)


def test_beyond_the_grid_the_nearest_cell_is_meant(pyramid):
    rows, cols = pyramid.at(1, np.array([[-99.0, -99], [999, 999], [-99, 999]]))
    assert rows.tolist() == [0, 1, 1]
    assert cols.tolist() == [0, 2, 0]


@pytest.mark.parametrize("offset", [0.5, 0.0])
@pytest.mark.parametrize(("level", "other"), [(1, 0), (2, 0), (2, 1)])
def test_the_same_spot_on_a_finer_level_is_the_points_within_the_cell(offset, level, other):
    pyramid = Pyramid.of(((8, 8), (4, 4), (2, 2)), (8, 16, 32), offset)
    for place in np.ndindex(*pyramid.shapes[level]):
        rows, cols = pyramid.same_spot(level, *place, other)
        box = pyramid.outlines(level, *place)
        for row, col in np.ndindex(*pyramid.shapes[other]):
            x, y = pyramid.points_at(other, row, col)
            within = box[0] <= x < box[2] and box[1] <= y < box[3]
            assert within == (rows.start <= row < rows.stop and cols.start <= col < cols.stop)
        if offset == 0.5:
            assert rows.stop - rows.start == cols.stop - cols.start == 2 ** (level - other)


def test_the_same_spot_on_a_coarser_level_is_the_cell_around_it():
    pyramid = Pyramid.of(((8, 8), (4, 4), (2, 2)), (8, 16, 32))
    assert pyramid.same_spot(0, 3, 5, 0) == (slice(3, 4), slice(5, 6))
    assert pyramid.same_spot(0, 3, 5, 1) == (slice(1, 2), slice(2, 3))
    assert pyramid.same_spot(0, 7, 0, 2) == (slice(1, 2), slice(0, 1))


def test_where_steps_differ_from_the_stride_the_spot_follows_the_steps():
    pyramid = Pyramid(((8, 40), (1, 4)), ((8, 8), (80, 64)))  # a stride of 64 px would give five columns on 320 px
    assert [pyramid.same_spot(0, 0, col, 1)[1].start for col in (0, 9, 10, 39)] == [0, 0, 1, 3]
    assert pyramid.same_spot(1, 0, 3, 0) == (slice(0, 8), slice(30, 40))


def test_tensors_are_split_and_put_together_as_the_index_runs(pyramid):
    count, classes = pyramid.anchors_per_cell, 5
    levels = [torch.arange(float(count * classes * r * c)).view(-1, r, c) + 1000 * i for i, (r, c) in enumerate(SHAPES)]
    flat = pyramid.flatten(levels)
    assert flat.shape == (classes, pyramid.count)
    for index, (level, row, col, turn) in enumerate(by_hand(pyramid)):
        assert torch.equal(flat[:, index], levels[level][turn * classes : (turn + 1) * classes, row, col])
    one = Pyramid(SHAPES, STEPS, pyramid.offset)
    values = torch.rand(2, 5, one.count)
    for level, (rows, cols) in zip(one.split(values), SHAPES, strict=True):
        assert level.shape == (2, 5, rows, cols)
        assert level.untyped_storage().data_ptr() == values.untyped_storage().data_ptr()
    assert torch.equal(one.split(values)[1][..., 1, 2], values[..., one.anchor(1, 1, 2)])


def test_the_lattice_is_the_points_in_steps(pyramid):
    for level, (rows, cols) in enumerate(SHAPES):
        lattice = pyramid.lattice(level, torch.zeros(1, dtype=torch.float64))
        assert lattice.shape == (1, 2, rows, cols) and lattice.dtype == torch.float64
        for row, col in np.ndindex(rows, cols):
            point = lattice[0, :, row, col].numpy() * STEPS[level]
            assert point.tolist() == pytest.approx(pyramid.points_at(level, row, col).tolist())


def test_it_is_a_value():
    assert Pyramid.of(((4, 6),), (8,)) == Pyramid(((4, 6),), ((8, 8),))
    assert len({Pyramid.of([(4, 6)], [8]), Pyramid.of([torch.Size((4, 6))], [8.0])}) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.cells([64]), "Anchors run from 0 to 63 here, but 64 to 64 came"),
        (lambda p: p.cells([-1, 3]), "Anchors run from 0 to 63 here, but -1 to 3 came"),
        (lambda p: p.anchor(1, 2, 0), r"Cell \(2, 0\) is outside the 2 × 3 grid of level 1"),
        (lambda p: p.anchor(1, [0, 1], [0, 3]), r"Cell \(1, 3\) is outside the 2 × 3 grid of level 1"),
        (lambda p: p.anchor(1, 0, -1), r"Cell \(0, -1\) is outside"),
        (lambda p: p.anchor(0, 0, 0, 2), "A cell has anchors 0 to 1 here, but 2 was given"),
        (lambda p: Pyramid(SHAPES, STEPS[:2]), "Each level needs a grid and a step, but 3 grids and 2 steps came"),
    ],
)
def test_what_lies_beyond_it_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(Pyramid(SHAPES, STEPS, 0.5, 2))
