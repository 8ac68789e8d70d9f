"""ODExAI's insertion and deletion, where what is left of a detection is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import diagnosis

from .patch_net import RedNet, red_patch, red_trace


@pytest.fixture(scope="module")
def trace():
    """A network that is sure of the red square, and of nothing where there is none."""
    net = RedNet()
    with torch.no_grad():
        for conv in net.head:
            conv.bias.fill_(-3.0)
    image, _ = red_patch((128, 128), (64, 64), 32)
    return red_trace(image, 1, imgsz=128, net=net)


def given(trace, values):
    made = diagnosis.attribute(trace, 0, "box fill")
    return replace(made, heat=replace(made.heat, grid=np.asarray(values, np.float32)))


def test_a_detection_that_goes_at_once_or_at_last(trace):
    patch = np.zeros((128, 128))
    patch[48:80, 48:80] = 1  # a sixteenth of the photograph
    first = diagnosis.odexai(given(trace, patch), steps=4, batch=2)
    last = diagnosis.odexai(given(trace, 1 - patch), steps=4)
    assert first.deletion == pytest.approx(0.125)  # scores 1, 0, 0, 0, 0: the whole detection, and none without red
    assert last.deletion == pytest.approx(0.875)
    assert last.insertion == pytest.approx(1)  # a blurred square is one as well
    assert first.overall == first.insertion - first.deletion


def test_another_class_does_not_count(trace):
    made = diagnosis.attribute(trace, 0, "box fill", class_id="nothing")
    found = diagnosis.odexai(made, steps=2)
    assert (found.insertion, found.deletion) == (0, 0)


def test_errors_at_the_door(trace):
    with pytest.raises(ValueError, match="steps must be at least 1, but 0 was given"):
        diagnosis.odexai(given(trace, np.ones((128, 128))), steps=0)
