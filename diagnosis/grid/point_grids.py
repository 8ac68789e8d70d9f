"""Grids of points that decoders build by mistake, each with the code of what went wrong."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PointGrid:
    """``points`` (n, 2) xy in cells, for cells counted row by row; ``code`` and ``words`` of the mistake."""

    code: str
    words: str
    points: np.ndarray


def mistaken(shape: tuple[int, int], offset: float) -> Iterator[PointGrid]:
    """Those of a grid of (rows, columns) whose points should stand ``offset`` cells right of and below corners."""
    rows, cols = shape
    row, col = (index.ravel() for index in np.indices(shape))
    flat = np.arange(rows * cols)
    for code, words, x, y in (
        ("axes_swapped", "with row for column", row, col),
        ("axes_swapped", "counted column by column, not row by row", flat // rows, flat % rows),
        ("image_size_swapped", "counted with the number of rows for that of columns", flat % rows, flat // rows),
        ("scrambled_layout", "viewed as (2, n) where (n, 2) was built", *_viewed(col, row)),
    ):
        yield PointGrid(code, words, np.stack((x, y), 1) + offset)
    plain = np.stack((col, row), 1) + offset
    yield PointGrid(
        code="image_size_swapped",
        words="spread over the exchanged sides of the image",
        points=plain * (rows / cols, cols / rows),
    )


def _viewed(col: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, last = np.stack((col, row), 1).reshape(2, -1)
    return first, last
