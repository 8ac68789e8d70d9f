"""How a level is kept."""

import numpy as np


def arrange(level: np.ndarray, axes: str) -> np.ndarray:
    """(A, h, w, C) as ``axes`` says, without a batch."""
    anchors, rows, cols, channels = level.shape
    if axes == "CHW":
        return level[0].transpose(2, 0, 1)
    if axes == "HWC":
        return level[0]
    if axes == "AC,H,W":
        return level.transpose(0, 3, 1, 2).reshape(anchors * channels, rows, cols)
    if axes in ("NC", "LNC"):
        return level.transpose(1, 2, 0, 3).reshape(-1, channels)
    return level.transpose(*("AHWC".index(axis) for axis in axes))
