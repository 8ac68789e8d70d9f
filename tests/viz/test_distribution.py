"""The four distributions of a detection, and heads that have none."""

import numpy as np
import pytest
import torch

import viz


@pytest.fixture(scope="module")
def trace(stage, hot):
    """One detection at P4, whose left side is certain (bin 2) and whose right is undecided between 1 and 3."""
    trace = stage((128, 192), [hot(1, 3, 4)], imgsz=192)
    bins = torch.zeros(4, 4)
    bins[0, 2] = 50
    bins[2, [1, 3]] = 50
    trace._run.box_logits[:, trace.detections.anchor[0]] = bins.flatten()
    return trace


def test_bars_means_and_ceilings(trace, artists):
    figure = viz.distribution(trace, 0)
    shares = trace.distribution(0).numpy()
    for side, share, mean in zip(("left", "top", "right", "bottom"), shares, (2.0, 1.5, 2.0, 1.5), strict=True):
        assert [bar.get_height() for bar in artists(figure, f"bins:{side}")] == pytest.approx(share.tolist())
        (line,) = artists(figure, f"mean:{side}")
        assert line.get_xdata() == pytest.approx([mean, mean])
        (ceiling,) = artists(figure, f"ceiling:{side}")
        assert ceiling.get_xdata() == [3, 3]
    titles = [ax.get_title() for ax in figure.axes]
    assert "left: 2.00 strides = 32.0 px\nentropy 0.00 bit" in titles
    assert "right: 2.00 strides = 32.0 px\nentropy 1.00 bit" in titles
    assert "top: 1.50 strides = 24.0 px\nentropy 2.00 bit" in titles
    assert any("beyond 3 strides = 48 px" in text.get_text() for text in figure.legends[0].get_texts())


def test_the_arrows_end_at_the_sides_of_the_box(trace, artists):
    figure = viz.distribution(trace, 0)
    x, y = trace.detections.center[0]
    x1, y1, x2, y2 = trace.detections.xyxy[0]
    for side, end in {"left": (x1, y), "top": (x, y1), "right": (x2, y), "bottom": (x, y2)}.items():
        (arrow,) = artists(figure, f"distance:{side}")
        assert np.allclose(arrow.xy, end) and np.allclose(arrow.xyann, (x, y))


def test_a_head_without_bins_says_what_it_puts_out(stage, hot, artists):
    figure = viz.distribution(stage((128, 192), [hot(1, 3, 4, half=2.0)], imgsz=192, reg_max=1), 0)
    (words,) = artists(figure, "no distribution")
    told = " ".join(words.get_text().split())
    assert "no distribution to show (reg_max = 1)" in told and "one number" in told
    assert "left: 32.0 px = 2.00 strides" in told


@pytest.mark.parametrize("i", [-1, 1, 99])
def test_a_detection_that_does_not_exist_is_refused(trace, i):
    with pytest.raises(IndexError, match=rf"Detection {i} does not exist: this image has 1, numbered from 0 to 0"):
        viz.distribution(trace, i)


def test_no_detection_at_all_is_said_without_a_range(stage):
    with pytest.raises(IndexError, match=r"Detection 0 does not exist: this image has none"):
        viz.distribution(stage((128, 192), imgsz=192), 0)


def test_an_index_must_be_a_whole_number(trace):
    with pytest.raises(TypeError, match="whole number"):
        viz.distribution(trace, 0.0)
