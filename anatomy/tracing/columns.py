"""Detections as a table, with what only their trace knows of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..head.levels import Level
from .detections import Detections

if TYPE_CHECKING:
    from polars import DataFrame


def framed(found: Detections, cut: np.ndarray, pooling: Sequence[Level]) -> "DataFrame":
    """One row a detection; ``cut`` (n,) bool is a column.

    ``pooling``: the levels, where a second stage pools boxes from them, which then has two columns; else none.
    """
    import polars

    frame = found.to_df().insert_column(-1, polars.Series("cut", cut))
    if pooling:
        names = [pooling[level].name for level in found.pooled_level.tolist()]
        frame.insert_column(-1, polars.Series("pooled_level", found.pooled_level))
        frame.insert_column(-1, polars.Series("pooled_level_name", names, dtype=polars.String))
    return frame
