"""Maps that know nothing of the network: what a method of attribution has to beat."""

from collections.abc import Sequence

import numpy as np

from ..place import to_input, within
from ..result import Heat
from ..subject import Subject

SPREAD = 0.25  # standard deviation of the centre prior, in sides of the photograph


def centre_prior(subjects: Sequence[Subject]) -> list[Heat]:
    """A Gaussian at the middle of the photograph: where people point a camera."""
    trace = subjects[0].trace
    height, width = trace.image.shape[:2]
    x1, y1, x2, y2 = trace.letterbox.to_input([0, 0, width, height])
    rows, cols = trace.input_shape
    y, x = np.arange(rows)[:, None] + 0.5, np.arange(cols)[None] + 0.5
    far = ((x - (x1 + x2) / 2) / (x2 - x1)) ** 2 + ((y - (y1 + y2) / 2) / (y2 - y1)) ** 2
    return [_heat(np.exp(-far / (2 * SPREAD**2)))] * len(subjects)


def box_fill(subjects: Sequence[Subject]) -> list[Heat]:
    """One inside the box of the explained cell, zero outside."""
    trace = subjects[0].trace
    return [_heat(within(trace.input_shape, trace.letterbox.to_input(one.box))) for one in subjects]


def edge_detector(subjects: Sequence[Subject]) -> list[Heat]:
    """How steep the photograph's grey values are, by Sobel; asked for by https://arxiv.org/abs/1810.03292."""
    import cv2

    trace = subjects[0].trace
    grey = trace.image.astype(np.float32).mean(2)
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order, borderType=cv2.BORDER_REPLICATE) for order in ((1, 0), (0, 1)))
    return [_heat(to_input(trace, np.hypot(across, down)))] * len(subjects)


def _heat(values) -> Heat:
    return Heat(
        grid=np.asarray(values, dtype=np.float32), step=(1.0, 1.0), unit="relative", signed=False, layer="no layer"
    )
