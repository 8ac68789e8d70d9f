"""Rotated boxes as they are given: four corners each."""

from typing import Any

import numpy as np
from torch import Tensor

from ..arguments import shown
from ..errors import UnsupportedModelError

FORMS = "(n, 5) x y w h and angle in radians, or (n, 4, 2) corners, in px of the original"


def corners_of(boxes: Any) -> np.ndarray:
    """The corners (n, 4, 2) float64 xy of rotated boxes: (n, 5) centre, width, height and angle, or corners already.

    The angle is that from x to the side of the width, in radians, clockwise as y points down. Raises
    UnsupportedModelError for upright boxes, ValueError for anything else.
    """
    boxes = boxes.detach().cpu() if isinstance(boxes, Tensor) else boxes
    try:
        numbers = np.asarray(boxes, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"Rotated boxes must be {FORMS}, but {shown(boxes)} was given.") from None
    if numbers.size == 0:
        return numbers.reshape(0, 4, 2)
    if numbers.ndim == 2 and numbers.shape[1] == 4:
        raise UnsupportedModelError(
            "This head is trained with rotated boxes, and upright boxes alone do not say how they are turned. Give "
            f"them as {FORMS}."
        )
    if numbers.ndim == 3 and numbers.shape[1:] == (4, 2):
        return numbers
    if numbers.ndim != 2 or numbers.shape[1] != 5:
        raise ValueError(f"Rotated boxes must be {FORMS}, but the shape is {numbers.shape}.")
    centre, (width, height, angle) = numbers[:, None, :2], numbers[:, 2:].T
    along = np.stack((np.cos(angle), np.sin(angle)), 1) * width[:, None] / 2
    across = np.stack((-np.sin(angle), np.cos(angle)), 1) * height[:, None] / 2
    return centre + np.stack((along + across, along - across, -along - across, -along + across), 1)
