"""Intersection over union of upright boxes, in numpy."""

import numpy as np


def pair_overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU (n, m) of boxes (n, 4) and (m, 4) xyxy; 0 where both are empty."""
    first, second = np.asarray(first, np.float64).reshape(-1, 1, 4), np.asarray(second, np.float64).reshape(1, -1, 4)
    shared = (
        (np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])).clip(0).prod(-1)
    )
    area = [(boxes[..., 2:] - boxes[..., :2]).clip(0).prod(-1) for boxes in (first, second)]
    total = area[0] + area[1] - shared
    return np.divide(shared, total, out=np.zeros_like(total), where=total > 0)


def reachable_overlap(box: np.ndarray, points: np.ndarray, far: np.ndarray) -> np.ndarray:
    """The best IoU (m,) with ``box`` (4,) of boxes whose sides lie from 0 to ``far`` (m,) px around ``points`` (m, 2).

    A point off the box reaches over to it as far as it can and covers the way there.
    """
    low = np.maximum(box[:2], points - far[:, None])
    high = np.minimum(box[2:], points + far[:, None])
    drawn = np.concatenate((np.minimum(low, points), np.maximum(high, points)), 1)
    return pair_overlaps(box[None], drawn)[0]
