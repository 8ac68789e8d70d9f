"""What is given of labelled objects beside boxes and classes, checked at the door, in px of the network input."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from ..arguments import shown
from ..errors import SelectionError
from ..head.letterbox import Letterbox


def check_branch(branch: Any, branches: Sequence[str]) -> str:
    """The name of a live branch; raises SelectionError for any other."""
    if branch not in branches:
        raise SelectionError(f"branch must be one of {', '.join(branches)}, but {branch!r} was given.")
    return branch


def check_segments(segments: Any, count: int, letterbox: Letterbox) -> list[list[np.ndarray]]:
    """Of each object its polygons (k, 2) xy, from px of the original; raises ValueError for what is none."""
    rule = "Segments must be the polygons of each object, (k, 2) px of the original with k of 3 at least"
    if len(segments) != count:
        raise ValueError(f"{rule}, but {count} objects and {len(segments)} segments were given.")
    found = []
    for index, polygons in enumerate(segments):
        polygons = [polygons] if _is_polygon(polygons) else list(polygons)
        if not polygons or not all(map(_is_polygon, polygons)):
            raise ValueError(f"{rule}, but object {index} has {shown(polygons)}.")
        found.append([letterbox.to_input(polygon) for polygon in polygons])
    return found


def check_keypoints(keypoints: Any, count: int, letterbox: Letterbox) -> np.ndarray:
    """(n, K, 2 or 3) float32, places from px of the original; raises ValueError for another shape."""
    points = keypoints.detach().cpu() if isinstance(keypoints, Tensor) else keypoints
    points = np.array(points, dtype=np.float32)
    if points.ndim != 3 or len(points) != count or points.shape[2] not in (2, 3):
        raise ValueError(
            f"Key points must be ({count}, K, 2 or 3), xy px of the original and whether they are seen, for "
            f"{count} objects, but the shape is {points.shape}."
        )
    points[..., :2] = letterbox.to_input(points[..., :2])
    return points


def _is_polygon(value: Any) -> bool:
    """Whether a value is (k, 2) numbers, k 3 at least."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return array.ndim == 2 and array.shape[1] == 2 and len(array) >= 3
