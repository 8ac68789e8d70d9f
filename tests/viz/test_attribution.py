"""The heat lies on the photograph to the pixel, and the evidence stands below it."""

import numpy as np
import pytest

import diagnosis
import viz
from tests.diagnosis.attribution.patch_net import red_patch, red_trace

unlaid = pytest.mark.usefixtures("unlaid")


@pytest.fixture(scope="module")
def trace():
    image, _ = red_patch((90, 260), (100, 40), 20)
    return red_trace(image, 0)


@unlaid
def test_the_map_is_drawn_pixel_upon_pixel(trace, artists):
    made = diagnosis.attribute(trace, 0, "layercam")
    figure = viz.attribution(made)
    (heat,) = artists(figure, "attribution")
    assert tuple(heat.get_extent()) == (0, 260, 90, 0)
    np.testing.assert_array_equal(heat.get_array(), made.map)
    (photograph,) = artists(figure, "photograph")
    assert photograph.axes is heat.axes and heat.axes.get_xlim() == (0, 260) and heat.axes.get_ylim() == (90, 0)


@unlaid
def test_box_and_cell_are_those_explained(trace, artists):
    made = diagnosis.attribute(trace, 0, "layercam")
    figure = viz.attribution(made)
    (box,) = [drawn for drawn in artists(figure, "box") if len(drawn.get_paths())]
    np.testing.assert_allclose(box.get_paths()[0].vertices[[0, 2]].ravel(), made.subject.box)
    assert len(artists(figure, "cells:P3")) == 1
    assert not artists(viz.attribution(made, cell=False), "cells:P3")


@unlaid
def test_signed_maps_have_zero_in_the_middle_and_others_at_the_end(trace, artists):
    signed, plain = (
        artists(viz.attribution(diagnosis.attribute(trace, 0, method)), "attribution")[0].norm
        for method in ("eigencam", "layercam")
    )
    assert signed.vmin == -signed.vmax < 0 and plain.vmin == 0 < plain.vmax


@unlaid
def test_evidence_unit_and_number_are_written(trace):
    made = diagnosis.attribute(trace, 0, "odam")
    found = diagnosis.faithfulness(made, steps=3)
    figure = viz.attribution(made, found)
    ax, bar = figure.axes
    assert "logit of red" in ax.get_title() and "P3 cell" in ax.get_title()
    for part in (f"{found.insertion:.2f}", f"{found.deletion:.2f}", "pointing game", "randomization"):
        assert part in ax.get_xlabel()
    assert bar.get_xlabel() == "logit a cell"


def test_several_stand_in_rows_of_three_and_all_text_lies_within(trace, artists, pixels):
    made = [diagnosis.attribute(trace, 0, method) for method in ("odam", "layercam", "gradcam", "box fill")]
    figure = viz.attribution(made, [diagnosis.faithfulness(one, ("box",)) for one in made])
    assert len(artists(figure, "attribution")) == 4
    assert pixels(figure).any()
    for ax in figure.axes:
        extent = ax.get_tightbbox().extents
        assert extent[0] >= 0 and extent[2] <= figure.bbox.width + 1


def test_nothing_and_too_little_are_refused(trace):
    made = diagnosis.attribute(trace, 0, "odam")
    for arguments in (([],), ([made], [])):
        with pytest.raises(ValueError, match="One map or more, and one faithfulness for each"):
            viz.attribution(*arguments)


def test_an_empty_map_is_still_a_figure(trace, pixels):
    made = diagnosis.attribute(trace, 0, "odam", class_id="nothing")
    assert not made.map.any()
    assert pixels(viz.attribution(made)).any()
