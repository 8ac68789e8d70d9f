"""The strongest channels of each level in ``viz.features``."""

import numpy as np
import pytest

import viz
from anatomy import SelectionError


@pytest.fixture(scope="module")
def trace(stage):
    return stage((128, 192), imgsz=192)  # channel c of each level holds the value c everywhere


def test_the_strongest_channels_come_first_on_one_scale_a_level(trace, artists):
    figure = viz.features(trace, most=3)
    for name in ("P3", "P4", "P5"):
        drawn = artists(figure, f"features:{name}")
        assert [np.unique(image.get_array()).tolist() for image in drawn] == [[3], [2], [1]]
        assert [image.axes.get_title() for image in drawn] == ["3", "2", "1"]
        assert len({(image.norm.vmin, image.norm.vmax) for image in drawn}) == 1


def test_more_channels_than_there_are_draw_all(trace, artists):
    figure = viz.features(trace, most=99, level="P4")
    assert len(artists(figure, "features:P4")) == 4 and not artists(figure, "features:P3")
    assert any("the 4 strongest of 4 channels" in text.get_text() for text in figure.texts)


@pytest.mark.parametrize("most", [0, -1])
def test_at_least_one_channel_is_needed(trace, most):
    with pytest.raises(ValueError, match=f"at least 1 channel a level, but {most} was given"):
        viz.features(trace, most=most)


def test_an_unknown_level_is_refused(trace):
    with pytest.raises(SelectionError, match="does not exist"):
        viz.features(trace, level="P9")
