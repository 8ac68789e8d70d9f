"""Figures of a trace on a GPU show what those of the same trace on the CPU do."""

import numpy as np
import pytest

import anatomy
import viz
from tests.cuda import DEVICE, full_precision, needs_cuda
from tests.ultralytics_nets import as_published

pytestmark = needs_cuda


@pytest.fixture(scope="module")
def traces(picture):
    with full_precision():
        return [
            anatomy.trace(as_published("yolov8n", picture, bodiless=True), picture, imgsz=192, device=device)
            for device in ("cpu", DEVICE)
        ]


@pytest.mark.parametrize("what", ["objectness", "logit"])
def test_heatmaps_show_the_same_numbers(traces, what):
    shown = [viz.heatmaps(trace, what=what) for trace in traces]
    images = [[image.get_array() for ax in figure.axes for image in ax.images] for figure in shown]
    assert len(images[0]) == len(images[1]) > 3
    for mine, other in zip(*images, strict=True):
        np.testing.assert_allclose(np.ma.filled(mine, 0), np.ma.filled(other, 0), atol=5e-3)


def test_every_figure_of_a_trace_is_drawn(traces):
    trace = traces[1]
    for figure in (
        viz.detections(trace),
        viz.anchor_grid(trace, level=0),
        viz.distribution(trace, 0),
        viz.compare(trace, trace.replay()),
        viz.features(trace),
    ):
        assert figure.axes
