"""Boxes as an encoder may see them before all else: scaled, cut, in whole px."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..boxes.held import Held


def _scaled(boxes: np.ndarray, size: tuple) -> np.ndarray:
    across, down = size[0] / size[1], size[1] / size[0]
    return boxes * np.stack((across, down, across, down), -1)


def _clipped(boxes: np.ndarray, size: tuple) -> np.ndarray:
    return np.minimum(boxes, np.stack((size[0], size[1], size[0], size[1]), -1))


VIEWS = {
    "scaled": ("image_size_swapped", "boxes are scaled by the exchanged sides of the image"),
    "clipped": ("image_size_swapped", "boxes are cut to the exchanged sides of the image"),
    "floor": ("wrong_box", "coordinates are cut to whole px"),
    "ceil": ("wrong_box", "coordinates are rounded up to whole px"),
    "round": ("wrong_box", "coordinates are rounded to whole px"),
}
BOXES: dict[str, Callable[[np.ndarray, tuple], np.ndarray]] = {
    "scaled": _scaled,
    "clipped": _clipped,
    "floor": lambda boxes, size: np.floor(boxes),
    "ceil": lambda boxes, size: np.ceil(boxes),
    "round": lambda boxes, size: np.round(boxes),
}
"""The boxes (n, 4) as an encoder may see them, of images of (height, width), numbers or (n,)."""


def viewed(table: Held, view: str) -> Held:
    """The same cells with the boxes of a view."""
    return replace(table, boxes=BOXES[view](table.boxes, tuple(table.sizes.T))) if view in BOXES else table
