"""Windows: where they lie, what they show, and that a detection stands in them as in the whole."""

import numpy as np
import pytest
import torch

import diagnosis
from diagnosis.attribution.maps.fitting import fitted
from diagnosis.attribution.perturbation_frame import whole
from diagnosis.attribution.presence import presences
from diagnosis.attribution.windows import Window, around, shrunk, together, whole_frame

from .patch_net import red_patch, red_trace


@pytest.fixture(scope="module")
def trace():
    """A red square of 24 px in a photograph of 640 × 480."""
    image, _ = red_patch((480, 640), (100, 100), 24)
    return red_trace(image, 0, imgsz=640)


@pytest.mark.parametrize(
    ("box", "sides", "expected"),
    [
        ([88, 88, 112, 112], 1, (0, 0, 192, 192)),  # 72 px are too few; the corner on a multiple of 32
        ([300, 200, 340, 240], 1, (224, 128, 192, 192)),
        ([600, 440, 640, 480], 1, (448, 288, 192, 192)),  # it stays within the frame
        ([200, 200, 300, 250], 1, (96, 128, 320, 192)),  # 300 wide, rounded up
        ([200, 200, 300, 250], 2, (0, 96, 512, 256)),
        ([0, 0, 640, 480], 1, (0, 0, 640, 480)),
    ],
)
def test_a_window_lies_on_the_phase_of_the_coarsest_stride(trace, box, sides, expected):
    window = around(trace, box, sides)
    assert (window.x, window.y, window.width, window.height) == expected
    assert not window.shrunk and window.shape == (window.height, window.width)


def test_what_a_window_costs_and_how_it_is_shrunk(trace):
    window = Window(x=0, y=64, width=640, height=320, shape=(320, 640))
    small = shrunk(trace, window, 320)
    assert small.shape == (160, 320) and small.shrunk and shrunk(trace, window, 640) is window
    assert window.share((480, 640)) == pytest.approx(2 / 3) and small.share((480, 640)) == pytest.approx(1 / 6)
    assert small.boxes(torch.tensor([[10.0, 74, 20, 94]])).tolist() == [[5, 5, 10, 15]]
    assert window.cell((32, 32), 5, 3) == (3, 3)
    assert together(Window(0, 0, 192, 192, (192, 192)), Window(96, 32, 192, 192, (192, 192))) == Window(
        x=0, y=0, width=288, height=224, shape=(224, 288)
    )


def test_values_come_back_to_their_places():
    window = Window(x=32, y=64, width=64, height=32, shape=(16, 32))
    grid = window.spread(np.ones((16, 32)), (128, 128))
    assert grid[64:96, 32:96].min() == 1 and grid.sum() == 64 * 32


def test_a_detection_is_in_its_window_what_it_is_in_the_whole(trace):
    one, frame = diagnosis.subject(trace), whole(trace)
    window = around(trace, one.box, 1)
    with torch.no_grad():
        there = float(presences([one])(frame)[0, 0])
        assert there == pytest.approx(1 / (1 + np.exp(-one.value)), rel=1e-4)
        assert float(presences([one], window)(window.cut(frame))[0, 0]) == pytest.approx(there, rel=1e-4)
        edge = diagnosis.subject(trace, what="left")
        assert float(presences([edge], window)(window.cut(frame))[0, 0]) == pytest.approx(edge.value - window.x)


def test_boxes_that_lie_close_share_a_window_and_others_do_not(trace):
    cells = [(10, 10), (11, 12), (50, 70)]
    many = diagnosis.subjects(trace, [{"anchor": trace.anchor(0, *cell)} for cell in cells])
    places, cost = fitted(many, whole(trace))
    assert sorted(sorted(members) for _, members in places) == [[0, 1], [2]]
    share = 192 * 192 / (480 * 640)
    assert cost == pytest.approx(1 + 2 * share) and {window.shape for window, _ in places} == {(192, 192)}


def test_a_detection_that_stands_nowhere_else_is_explained_in_the_whole_frame(trace, monkeypatch):
    one, forward = diagnosis.subject(trace), trace.head.forward

    def of_the_whole_alone(frames, branch):
        made = forward(frames, branch)
        if frames.shape[2:] != trace.input_shape:
            for level in made.logits:
                level.fill_(-20)
        return made

    monkeypatch.setattr(trace.head, "forward", of_the_whole_alone)
    ((window, members),), _ = fitted([one], whole(trace))
    assert window == whole_frame(trace) and members == [0]
