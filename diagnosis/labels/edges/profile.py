"""The edges along lines parallel to the sides of boxes, summed by integral images."""

from typing import NamedTuple

import numpy as np

SIDES = ("left", "top", "right", "bottom")  # in the order of xyxy
BESIDE = 6  # lines on either hand of a side
REACH = 0.5  # of the box's extent, to which they go
NEAREST, FARTHEST = 4.0, 60.0  # px, between which the outermost line lies
INSET = 0.1  # of a side that is left out at either end: corners are rarely filled
FRAME = 2  # px to either hand of the image's end that are its frame


class Line(NamedTuple):
    """Sums of edges along lines: ``sums[j, i]`` of the first j pixels of line i; (length + 1, lines) int32."""

    sums: np.ndarray

    @classmethod
    def of(cls, edges: np.ndarray) -> "Line":
        """Of edges (length, lines) uint8."""
        sums = np.zeros((edges.shape[0] + 1, edges.shape[1]), np.int32)
        np.cumsum(edges, 0, dtype=np.int32, out=sums[1:])
        return cls(sums)

    def means(self, places: np.ndarray, begin: np.ndarray, end: np.ndarray, within: np.ndarray) -> np.ndarray:
        """The mean edge, 0 to 1, along lines at ``places`` (m, k) px from ``begin`` to ``end`` (m,).

        NaN for a line that does not lie ``within`` (k,) px of the image. What of a line is out of it has no edges.
        """
        length, lines = self.sums.shape[0] - 1, self.sums.shape[1]
        first = np.clip(np.round(begin), 0, length - 1).astype(np.intp)
        last = np.clip(np.round(end), first + 1, length).astype(np.intp)
        inside = (places >= within) & (places < lines - within)
        which = np.clip(np.floor(places), 0, lines - 1).astype(np.intp)
        total = self.sums[last[:, None], which] - self.sums[first[:, None], which]
        extent = np.maximum(end - begin, last - first)
        return np.where(inside, total / (255 * extent[:, None]), np.nan)


def profiles(lines: tuple[Line, ...], boxes: np.ndarray) -> np.ndarray:
    """The mean edges along the sides of boxes (m, 4) xyxy px and beside them: (m, 4, 2 · BESIDE + 1).

    From without to within, the side itself in the middle; sides as in ``SIDES``, each with its ``lines``. NaN for a
    side out of the image. The frame is an edge for a side alone: as one beside it, it would speak against all boxes
    nearby.
    """
    steps = np.arange(-BESIDE, BESIDE + 1) / BESIDE
    within = np.where(steps == 0, -FRAME, FRAME)
    low, high = boxes[:, :2], boxes[:, 2:]
    extent = high - low
    reach = np.clip(REACH * extent, NEAREST, FARTHEST)
    found = []
    for side, line in enumerate(lines):
        normal, along = side % 2, 1 - side % 2
        inward = steps if side < 2 else -steps
        places = boxes[:, side, None] + reach[:, normal, None] * inward
        inset = INSET * extent[:, along]
        found.append(line.means(places, low[:, along] + inset, high[:, along] - inset, within))
    return np.stack(found, 1)
