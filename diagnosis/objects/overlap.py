"""The best that a box of a cell could do: how far it can overlap an object."""

import numpy as np

from anatomy.tracing.overlap import pair_overlaps


def reachable_overlap(box: np.ndarray, points: np.ndarray, far: np.ndarray) -> np.ndarray:
    """The best IoU (m,) with ``box`` (4,) of boxes whose sides lie from 0 to ``far`` (m,) px around ``points`` (m, 2).

    A point off the box reaches over to it as far as it can and covers the way there.
    """
    low = np.maximum(box[:2], points - far[:, None])
    high = np.minimum(box[2:], points + far[:, None])
    drawn = np.concatenate((np.minimum(low, points), np.maximum(high, points)), 1)
    return pair_overlaps(box[None], drawn)[0]
