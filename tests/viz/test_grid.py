"""Cells, where they look and whence their boxes are measured stand where the numbers say."""

import numpy as np
import pytest

import viz
from diagnosis import Finding, GridLevel, GridReport, Sight
from diagnosis.grid.aim import Aim
from diagnosis.grid.motion import Motion

AWAY = np.array([[-0.5, -0.5], [-0.25, 0], [0, 0.5], [0.25, 0], [0, -0.5], [0.5, 0.5]])


def level(index: int, name: str, stride: float, away=AWAY, offset=(0.0, 0.0)) -> GridLevel:
    cells = int(512 / stride), int(640 / stride)
    row, col = (
        part.ravel()
        for part in np.meshgrid(
            [int(0.3 * cells[0]), int(0.7 * cells[0])], [int(s * cells[1]) for s in (0.2, 0.5, 0.8)]
        )
    )
    declared = (np.stack((col, row), 1) + 0.5) * stride
    move, boxes = Motion(0, 1, 1.0, 1.0), np.zeros(2)
    aim = Aim(np.eye(2), None if offset is None else np.array(offset), 0.0)
    sight = Sight(row, col, declared, declared + away * stride, stride)
    return GridLevel(index, name, stride, cells, move, move, boxes, boxes, 1.0, aim, sight)


def report(*levels: GridLevel, findings=()) -> GridReport:
    image = np.random.default_rng(0).integers(0, 255, (512, 640, 3), dtype=np.uint8)
    return GridReport("grid of a test", findings, 6, levels, image)


def test_everything_stands_in_its_place(artists):
    fine, coarse = level(0, "P3", 8), level(1, "P5", 32, offset=(-0.5, 0.25))
    figure = viz.grid(report(fine, coarse))
    for entry in (fine, coarse):
        sight = entry.sight
        factor = 0.15 * 640 / entry.stride
        (middle,), (end,), (point,) = (
            artists(figure, f"{what}:{entry.name}") for what in ("declared", "seen", "measured")
        )
        assert np.allclose(middle.get_xydata(), sight.declared)
        assert np.allclose(end.get_xydata(), sight.declared + factor * (sight.seen - sight.declared))
        assert np.allclose(point.get_xydata(), sight.declared + factor * entry.aim.offset * entry.stride)
    assert [text.get_text() for text in artists(figure, "factor")] == [
        "cells drawn 12 times larger",
        "cells drawn 3 times larger",
    ]
    assert not artists(figure, "codes")


def test_titles_give_the_numbers():
    title = viz.grid(report(level(0, "P5", 32, np.full((6, 2), -0.25), (0.5, 0.0)))).axes[0].get_title()
    assert title.split("\n") == [
        "P5, 16 × 20 cells of 32 px",
        "cells look 32.0 × 32.0 px apart",
        "and −0.25, −0.25 cells off",
        "boxes measured +0.50, +0.00 off",
    ]
    assert "boxes" not in viz.grid(report(level(0, "P5", 32, offset=None))).axes[0].get_title()


def test_cells_that_look_elsewhere_are_drawn_to_scale_and_named(artists, pixels):
    mirrored = level(0, "P3", 8)
    away = (np.array([640, 0]) - 2 * mirrored.sight.declared * (1, 0)) / 8
    finding = Finding("scrambled_layout", "error", 0, "P3: its columns run the wrong way.")
    figure = viz.grid(report(level(0, "P3", 8, away), findings=(finding,)))
    assert artists(figure, "factor")[0].get_text() == "to scale"
    assert artists(figure, "codes")[0].get_text() == "scrambled_layout"
    (end,) = artists(figure, "seen:P3")
    assert np.allclose(end.get_xydata()[:, 0], 640 - mirrored.sight.declared[:, 0])
    assert "not where they lie" in figure.axes[0].get_title()
    assert pixels(figure).any()


@pytest.mark.parametrize("count", [1, 4])
def test_any_number_of_levels_makes_a_page_at_most(count):
    figure = viz.grid(report(*[level(i, f"P{2 + i}", 4 * 2**i) for i in range(count)]))
    width, height = figure.get_size_inches()
    assert 3 < width < 8 and 0.5 < height < 10.5


def test_a_report_without_sights_is_refused():
    with pytest.raises(ValueError, match="sight=False"):
        viz.grid(GridReport("grid of a test"))
    with pytest.raises(ValueError, match="no forward"):
        viz.grid(GridReport("grid of a test", blind="It has no forward()."))
