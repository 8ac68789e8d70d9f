"""How well boxes lie on the edges of an image: each side against the lines beside it."""

from typing import Any

import cv2
import numpy as np

from .profile import FRAME, SIDES, Line, profiles

LONGEST = 640  # px, to which the longer side of an image is shrunk
BLUR = 1.0  # px, sigma
FAINT = 60.0  # a gradient (of Sobel's 3 × 3, unnormalised) that counts half
FRAME_EDGE = 0.6  # what the frame of the image counts as an edge: objects that are cut off end there
SPREAD = 0.05  # of a profile, below which nothing stands out
HIGHEST = 3.0  # spreads beyond which a side does not stand out more
FULL = 40.0  # px of a shrunk image, size from which a box counts in full
FLOOR = -1 / 3  # of a side out of the image, and of what is no box


class EdgeField:
    """The edges of one image, for the fit of many boxes at once. Holds a byte a pixel and direction, and no image.

    ``size`` (width, height) px of the original.
    """

    def __init__(self, image: np.ndarray, longest: int = LONGEST):
        """``image``: (H, W) or (H, W, 3) uint8 in any order of channels; raises ValueError for anything else."""
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or not image.size or image.shape[2:] not in ((), (3,)):
            raise ValueError(
                f"Edges are taken from (H, W) or (H, W, 3) uint8, but {image.dtype} {image.shape} was given."
            )
        height, width = image.shape[:2]
        self.size = (width, height)
        shrunk = _shrink(image, longest)
        self._scale = np.array([shrunk.shape[1] / width, shrunk.shape[0] / height] * 2)
        self._across, self._down = _edges(shrunk)

    def __repr__(self) -> str:
        return f"EdgeField({self.size[0]} × {self.size[1]} px)"

    def scores(self, boxes: Any) -> np.ndarray:
        """How well each box (…, n, 4), xyxy px of the original, lies on edges: (…, n) float64 from −1/3 to 1.

        Each side is a line; along lines parallel to it, out to half the box's extent on either hand, the share of the
        gradient that is normal to the side is averaged, and the score says by how many spreads the side itself stands
        out, at most 3 of 3. So 0 is chance whatever the texture and the size, and small boxes, that say little, count
        little. The frame of the image is an edge, as objects that it cuts end there. A side out of the image has
        −1/3; so has a box without extent, one that is not finite, or one that does not touch the image.
        """
        return self.side_scores(boxes).mean(-1)

    def side_scores(self, boxes: Any) -> np.ndarray:
        """The scores of the sides left, top, right, bottom of boxes (…, n, 4): (…, n, 4); see ``scores``."""
        given = np.asarray(boxes, np.float64)
        if given.ndim < 2 or given.shape[-1] != 4:
            raise ValueError(f"Boxes are (…, n, 4) xyxy px, but the shape is {given.shape}.")
        flat = given.reshape(-1, 4) * self._scale
        rows, columns = self._across.shape
        with np.errstate(invalid="ignore"):
            sound = np.isfinite(flat).all(1) & (flat[:, 2:] > flat[:, :2]).all(1)
            sound &= (flat[:, :2] < (columns, rows)).all(1) & (flat[:, 2:] > 0).all(1)
        scores = np.full(flat.shape, FLOOR)
        scores[sound] = _stand_out(profiles(self._lines(), flat[sound]), flat[sound])
        return scores.reshape(given.shape)

    def _lines(self) -> tuple[Line, ...]:
        """What each side of a box is looked up in; sums are made anew, so that many fields fit into memory."""
        across = Line.of(self._across)
        down = Line.of(self._down.T)
        return tuple(across if side in ("left", "right") else down for side in SIDES)


def _shrink(image: np.ndarray, longest: int) -> np.ndarray:
    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _edges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each pixel, how far its gradient is one from left to right, and from top to bottom: (h, w) uint8 each.

    The share of the gradient in that direction, less where it is faint, widened by a pixel to either hand.
    """
    smooth = cv2.GaussianBlur(image.astype(np.float32), (0, 0), BLUR)
    found = []
    for dx, dy in ((1, 0), (0, 1)):
        slope = np.abs(cv2.Sobel(smooth, cv2.CV_32F, dx, dy, ksize=3))
        found.append(slope.max(2) if slope.ndim == 3 else slope)
    length = np.hypot(*found) + FAINT
    across = cv2.dilate(found[0] / length, np.ones((1, 3), np.uint8))
    down = cv2.dilate(found[1] / length, np.ones((3, 1), np.uint8))
    across[:, :FRAME] = across[:, -FRAME:] = down[:FRAME] = down[-FRAME:] = FRAME_EDGE
    return tuple((edges * 255).astype(np.uint8) for edges in (across, down))  # pyright: ignore[reportReturnType]


def _stand_out(profile: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(m, 4) scores of profiles (m, 4, k), the side itself in the middle, NaN out of the image; boxes (m, 4) px."""
    middle = profile.shape[-1] // 2
    side = profile[..., middle]
    beside = np.delete(profile, middle, -1)
    there = ~np.isnan(beside)
    count = np.maximum(there.sum(-1), 1)
    mean = np.where(there, beside, 0).sum(-1) / count
    spread = np.sqrt((np.where(there, beside - mean[..., None], 0) ** 2).sum(-1) / count)
    size = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], 1))
    score = np.clip((side - mean) / (spread + SPREAD) / HIGHEST, -1, 1) * np.minimum(size / FULL, 1)[:, None]
    return np.where(np.isnan(side), FLOOR, score)
