"""Where things lie on the photograph: cells and the network's input frame, in px of the original image.

Pixel edges are whole numbers: an image of width W spans x from 0 to W, and its first pixel 0 to 1.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from anatomy import Trace

Box = Sequence[float] | np.ndarray
"""One box, xyxy (4,)."""


def cell_edges(trace: Trace, level: int) -> tuple[np.ndarray, np.ndarray]:
    """The edges of a level's cells: x (columns + 1,) and y (rows + 1,), running into the letterbox padding."""
    x, y = trace.pyramid.edges(level)
    back = trace.letterbox.to_original
    return back(np.stack((x, x), 1))[:, 0], back(np.stack((y, y), 1))[:, 1]


def anchor_points(trace: Trace, level: int) -> np.ndarray:
    """The anchor points of a level, one a cell, row by row, (cells, 2) xy."""
    row, col = (place.ravel() for place in np.indices(trace.shapes[level]))
    return trace.letterbox.to_original(trace.pyramid.points_at(level, row, col))


def cell_boxes(trace: Trace, level: ArrayLike, row: ArrayLike, col: ArrayLike) -> np.ndarray:
    """The outlines of cells, (n,) levels, rows and columns -> (n, 4) xyxy."""
    level, row, col = (np.atleast_1d(np.asarray(place, dtype=np.int64)) for place in (level, row, col))
    return trace.letterbox.to_original(trace.pyramid.outlines(level, row, col))


def cell_at(trace: Trace, level: int, x: float, y: float) -> tuple[int, int]:
    """The (row, column) of the cell of a level at a point, px of the original; the nearest one off the grid."""
    row, col = trace.pyramid.at(level, trace.letterbox.to_input([x, y]))
    return int(row), int(col)


def input_frame(trace: Trace) -> np.ndarray:
    """The whole network input, padding included, as xyxy (4,)."""
    height, width = trace.input_shape
    return trace.letterbox.to_original([0, 0, width, height])


def outlines(trace: Trace) -> np.ndarray:
    """The corners of each detection's box, (n, 4, 2) xy; of a rotated box the rotated ones."""
    return trace.corners


def corners(xyxy: ArrayLike) -> np.ndarray:
    """The four corners of boxes, (n, 4) xyxy -> (n, 4, 2) xy."""
    xyxy = np.asarray(xyxy, dtype=np.float64).reshape(-1, 4)
    return xyxy[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)


def vertices(shapes: np.ndarray) -> Sequence[np.ndarray]:
    """Polygons or lines (n, k, 2), the same array as the sequence that matplotlib's annotations ask for."""
    return cast("Sequence[np.ndarray]", shapes)
