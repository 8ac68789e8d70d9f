"""Rows that leave the image as they are written, and that a reading brings back: what files prove of a reading."""

import numpy as np

from .material import Material
from .reading import Reading

NEARLY_ALL = 0.9  # of the rows beyond the image, which a reading that explains them brings back
BARELY = 0.01  # of the image, by which a box may leave it


def brought_back(material: Material, reading: Reading) -> int:
    """How many rows leave the image, where a reading brings nearly all of them back; else 0."""
    rows, of_image = material.rows, material.sizes[material.rows.image]
    beyond = _leave(Reading().boxes(rows.quads, of_image))
    back = beyond & ~_leave(reading.boxes(rows.quads, of_image))
    return int(beyond.sum()) if beyond.any() and back.sum() >= NEARLY_ALL * beyond.sum() else 0


def _leave(boxes: np.ndarray) -> np.ndarray:
    return (boxes.min(1) < -BARELY) | (boxes.max(1) > 1 + BARELY)
