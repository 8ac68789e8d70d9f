"""The map between the original photograph and the network's input."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..shown import Record


@dataclass(frozen=True, repr=False)
class Letterbox(Record):
    """Scale and padding that took the original image to the network input, both in px.

    ``gain`` is (x, y) input px per original px, ``pad`` (x, y) the left and top padding in input px. The rounding is
    that of Ultralytics' ``LetterBox`` and ``scale_boxes``: each side is rounded on its own, so the gains can differ.
    """

    original_shape: tuple[int, int]
    input_shape: tuple[int, int]
    gain: tuple[float, float]
    pad: tuple[int, int]

    @classmethod
    def fit(cls, original_shape: tuple[int, int], input_shape: tuple[int, int]) -> "Letterbox":
        """The letterbox of an (H, W) image inside an (h, w) input, centred."""
        gain = min(input_shape[0] / original_shape[0], input_shape[1] / original_shape[1])
        height, width = (max(round(side * gain), 1) for side in original_shape)
        pad = (round((input_shape[1] - width) / 2 - 0.1), round((input_shape[0] - height) / 2 - 0.1))
        return cls(original_shape, input_shape, (width / original_shape[1], height / original_shape[0]), pad)

    def to_original(self, points: ArrayLike) -> np.ndarray:
        """(..., 2) or (..., 4) xy px of the network input to px of the original; nothing is clipped."""
        points = np.asarray(points, dtype=np.float64)
        repeat = points.shape[-1] // 2
        return (points - np.tile(self.pad, repeat)) / np.tile(self.gain, repeat)

    def to_input(self, points: ArrayLike) -> np.ndarray:
        """(..., 2) or (..., 4) xy px of the original to px of the network input."""
        points = np.asarray(points, dtype=np.float64)
        repeat = points.shape[-1] // 2
        return points * np.tile(self.gain, repeat) + np.tile(self.pad, repeat)
