"""Where things lie on the photograph: cells and the network's input frame, in px of the original image.

Pixel edges are whole numbers: an image of width W spans x from 0 to W, and its first pixel 0 to 1.
"""

import numpy as np

from anatomy import Trace


def cell_edges(trace: Trace, level: int) -> tuple[np.ndarray, np.ndarray]:
    """The edges of a level's cells: x (columns + 1,) and y (rows + 1,), running into the letterbox padding."""
    rows, cols = trace.shapes[level]
    ends = np.arange(max(rows, cols) + 1)[:, None] + (trace.grid_offset - 0.5)  # an anchor point is mid-cell
    points = trace.letterbox.to_original(ends * np.array(trace.steps[level]))
    return points[: cols + 1, 0], points[: rows + 1, 1]


def cell_boxes(trace: Trace, level, row, col) -> np.ndarray:
    """The outlines of cells, (n,) levels, rows and columns -> (n, 4) xyxy."""
    level, row, col = (np.atleast_1d(np.asarray(place, dtype=np.int64)) for place in (level, row, col))
    step = np.tile(np.asarray(trace.steps), 2)[level]
    return trace.letterbox.to_original((np.stack((col, row, col + 1, row + 1), 1) + (trace.grid_offset - 0.5)) * step)


def cell_at(trace: Trace, level: int, x: float, y: float) -> tuple[int, int]:
    """The (row, column) of the cell of a level at a point, px of the original; the nearest one off the grid."""
    step = np.array(trace.steps[level])
    col, row = (trace.letterbox.to_input([x, y]) - (trace.grid_offset - 0.5) * step) // step
    rows, cols = trace.shapes[level]
    return int(np.clip(row, 0, rows - 1)), int(np.clip(col, 0, cols - 1))


def input_frame(trace: Trace) -> np.ndarray:
    """The whole network input, padding included, as xyxy (4,)."""
    height, width = trace.input_shape
    return trace.letterbox.to_original([0, 0, width, height])


def outlines(trace: Trace) -> np.ndarray:
    """The corners of each detection's box, (n, 4, 2) xy; of a rotated box the rotated ones."""
    rotated = getattr(trace.result, "obb", None)
    if rotated is not None and len(rotated):
        return np.asarray(rotated.xyxyxyxy.cpu(), dtype=np.float64)
    return corners(trace.detections.xyxy)


def corners(xyxy) -> np.ndarray:
    """The four corners of boxes, (n, 4) xyxy -> (n, 4, 2) xy."""
    xyxy = np.asarray(xyxy, dtype=np.float64).reshape(-1, 4)
    return xyxy[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
