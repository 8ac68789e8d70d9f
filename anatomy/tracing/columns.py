"""Detections as the columns of a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..head.levels import Level
from .detections import Detections


def columns(found: Detections, cut: np.ndarray, pooling: Sequence[Level]) -> dict[str, Any]:
    """The columns of a data frame, one row a detection; ``cut`` (n,) bool.

    ``pooling``: the levels where a second stage pools boxes from them, which then has two columns; else none.
    """
    import polars

    box = {name: found.xyxy[:, column] for column, name in enumerate(("x1", "y1", "x2", "y2"))}
    pooled = {}
    if pooling:
        names = [pooling[level].name for level in found.pooled_level.tolist()]
        pooled = {
            "pooled_level": found.pooled_level,
            "pooled_level_name": polars.Series(names, dtype=polars.String),
        }
    return {
        "class_id": found.class_id,
        "class_name": polars.Series(found.class_name, dtype=polars.String),
        "confidence": found.confidence,
        "level": found.level,
        "level_name": polars.Series(found.level_name, dtype=polars.String),
        "stride": found.stride,
        "row": found.row,
        "col": found.col,
        "anchor": found.anchor,
        "branch": polars.Series(found.branch, dtype=polars.String),
        **box,
        "center_x": found.center[:, 0],
        "center_y": found.center[:, 1],
        "cut": cut,
        **pooled,
        "suppressed": np.asarray([len(rivals) for rivals in found.suppressed], dtype=np.int64),
    }
