"""Boxes, overlaps and a half-trained network, in numpy; boxes are (n, 4) xyxy px."""

import numpy as np

TINY = 1e-3  # px: no side is smaller where a logarithm or a ratio is taken


def centres(boxes: np.ndarray) -> np.ndarray:
    """(n, 2) xy px."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def sides(boxes: np.ndarray) -> np.ndarray:
    """(n, 2) width and height, px."""
    return boxes[:, 2:] - boxes[:, :2]


def areas(boxes: np.ndarray) -> np.ndarray:
    """(n,) px²."""
    return sides(boxes).prod(1)


def around(points: np.ndarray, extent: np.ndarray) -> np.ndarray:
    """Boxes of ``extent`` (n, 2) centred at ``points`` (n, 2)."""
    return np.concatenate((points - extent / 2, points + extent / 2), 1)


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n, m) intersection over union."""
    wide, high = (
        (np.minimum(first[:, axis + 2, None], second[:, axis + 2]) - np.maximum(first[:, axis, None], second[:, axis]))
        for axis in (0, 1)
    )
    shared = wide.clip(0) * high.clip(0)
    whole = areas(first)[:, None] + areas(second)[None] - shared
    return shared / np.maximum(whole, 1e-9)


def shape_overlaps(extent: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """(n, m) IoU of widths and heights laid on one another's centre (YOLO9000, section 2)."""
    shared = np.minimum(extent[:, None], priors[None]).prod(2)
    return shared / np.maximum(extent.prod(1)[:, None] + priors.prod(1)[None] - shared, 1e-9)


def distances(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(points, boxes, 4): left, top, right, bottom of each point, px; negative outside."""
    return np.concatenate((points[:, None] - boxes[None, :, :2], boxes[None, :, 2:] - points[:, None]), 2)


def whim(points: np.ndarray) -> np.ndarray:
    """A number in [0, 1) of each point (n, 2), which looks random and is always the same."""
    wave = np.sin(points @ np.array([12.9898, 78.233])) * 43758.5453
    return wave - np.floor(wave)


def half_trained(points: np.ndarray, strides: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a network in the middle of its training predicts: boxes (N, 4) and the probability (N,) of the right class.

    Between a square of four strides and the smallest object that holds the point.
    """
    sure = whim(points)
    guess = around(points, np.repeat(4 * strides[:, None], 2, 1))
    if not len(boxes):
        return guess, 0.2 * sure
    inside = distances(points, boxes).min(2) > 0
    area = np.where(inside, areas(boxes)[None], np.inf)
    owner = area.argmin(1)
    share = np.where(inside.any(1), 0.5 + 0.4 * sure, 0.0)[:, None]
    return (1 - share) * guess + share * boxes[owner], np.where(inside.any(1), 0.3 + 0.5 * sure, 0.1)
