"""Where the values of a map lie: from a grid in the network's input to the px of the original, and back."""

import math
from collections.abc import Iterable

import numpy as np

from anatomy import Trace


def to_original(trace: Trace, grid: np.ndarray, step: tuple[float, float], offset: float = 0.5) -> np.ndarray:
    """Values (h, w) that stand ``step`` (x, y) px of the network input apart, as (H, W) float32 in px of the original.

    Value (r, c) stands at ((c + offset) * step_x, (r + offset) * step_y); between values it is linear, beyond the
    outermost constant. An original px takes the mean over its area; the letterbox padding falls away.
    """
    height, width = trace.image.shape[:2]
    box = trace.letterbox
    starts = [box.pad[axis] / step[axis] - offset + 0.5 for axis in (0, 1)]
    sizes = [box.gain[axis] / step[axis] for axis in (0, 1)]
    return _resampled(grid, starts, sizes, (height, width))


def to_input(trace: Trace, values: np.ndarray) -> np.ndarray:
    """A map (H, W) of the original in px of the network input, (h, w) float32; padding repeats the nearest px."""
    box = trace.letterbox
    starts = [-box.pad[axis] / box.gain[axis] for axis in (0, 1)]
    return _resampled(values, starts, [1 / gain for gain in box.gain], trace.input_shape)


def photo_area(trace: Trace) -> np.ndarray:
    """Which px of the network input hold the photograph, (h, w) bool; the others are padding."""
    height, width = trace.input_shape
    x, y = (
        (np.arange(count) + 0.5 - pad) / gain
        for count, pad, gain in zip((width, height), trace.letterbox.pad, trace.letterbox.gain, strict=True)
    )
    rows, cols = trace.image.shape[:2]
    return ((y > 0) & (y < rows))[:, None] & ((x > 0) & (x < cols))[None]


def within(shape: tuple[int, ...], box: Iterable[float]) -> np.ndarray:
    """Which px of an image of ``shape`` have their middle in a box (4,) xyxy px, (h, w) bool."""
    x1, y1, x2, y2 = box
    y, x = (np.arange(side) + 0.5 for side in shape)
    return ((y > y1) & (y < y2))[:, None] & ((x > x1) & (x < x2))[None]


def _resampled(values: np.ndarray, starts, sizes, shape: tuple[int, int]) -> np.ndarray:
    values = np.asarray(values, dtype=np.float32)
    return np.ascontiguousarray(
        _along(_along(values, starts[1], sizes[1], shape[0]).T, starts[0], sizes[0], shape[1]).T
    )


def _along(values: np.ndarray, start: float, size: float, count: int) -> np.ndarray:
    """``count`` means along axis 0 over stretches of ``size``, the first from ``start``; value i fills [i, i + 1)."""
    each = max(1, math.ceil(size))
    place = start + (np.arange(count * each) + 0.5) / each * size - 0.5
    place = place.clip(0, len(values) - 1)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, len(values) - 1)
    part = (place - low).astype(np.float32)[:, None]
    return (values[low] * (1 - part) + values[high] * part).reshape(count, each, -1).mean(1, dtype=np.float32)
