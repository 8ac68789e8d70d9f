"""Receptive fields upon the photograph: what is drawn, and that it lies where the numbers say."""

import numpy as np
import pytest

import anatomy
import viz
from tests.anatomy.test_receptive_field import Chain


def by_gid(ax, gid):
    return next(artist for artist in ax.get_children() if artist.get_gid() == gid)


@pytest.fixture(scope="module")
def fields():
    return [anatomy.receptive_field(Chain(), 0, row, 5, imgsz=(64, 96), class_id="a") for row in (3, 4)]


def test_each_field_has_a_panel_and_lies_in_its_place(fields):
    figure = viz.receptive_field(fields)
    panels = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title().split(":")[0] for ax in panels] == ["P3 cell (3, 5)", "P3 cell (4, 5)"]
    for ax, field in zip(panels, fields, strict=True):
        for gid, box in (("theoretical", field.theoretical), ("extent", field.extent), ("boxes", field.boxes[0])):
            corners = by_gid(ax, gid).get_paths()[0].vertices
            np.testing.assert_allclose([*corners.min(0), *corners.max(0)], box)  # the image enters as it is
        np.testing.assert_allclose(by_gid(ax, "point").get_xydata()[0], field.point)
        np.testing.assert_allclose(by_gid(ax, "center").get_xydata()[0], field.center)
        heat = by_gid(ax, "sensitivity")
        assert heat.get_extent() == [0, 96, 64, 0]
        row, col = np.unravel_index(heat.get_array().argmax(), heat.get_array().shape)
        x, y = (col + 0.5) * 96 / heat.get_array().shape[1], (row + 0.5) * 64 / heat.get_array().shape[0]
        left, top, right, bottom = field.theoretical
        assert left < x < right and top < y < bottom
        assert "looks at" in ax.get_title() and "-3.5, -3.5 px off" in ax.get_title()


def test_one_field_and_none(fields):
    assert len([ax for ax in viz.receptive_field(fields[0]).axes if ax.get_title()]) == 1
    with pytest.raises(ValueError, match="At least one receptive field"):
        viz.receptive_field([])
