"""The arithmetic of written boxes: formats, orders of the numbers, units, frames and turns, each with its inverse."""

import numpy as np

ORDERS = {"": (0, 1, 2, 3), "xy_swapped": (1, 0, 2, 3), "wh_swapped": (0, 1, 3, 2), "axes_swapped": (1, 0, 3, 2)}
"""Which of cx cy w h (or of the four numbers of another format) stands at each place."""
FORMATS = {
    "cxcywh": ((0.5, 0.5), (-1, 1)),
    "xywh": ((1, 0), (-1, 1)),
    "x2y2wh": ((0, 1), (-1, 1)),
    "xyxy": ((1, 0), (0, 1)),
    "xyxy_as_xywh": ((1, 0.5), (0, 1)),
}
"""What the first two numbers, and the last two, are made of: so much of the low corner and so much of the high one."""
XXYY = "xxyy"
"""x1 x2 y1 y2, the format whose numbers of an axis stand side by side."""
UNITS = ("share", "px", "per_px", "wrong_side", "width", "height")
FRAMES = ("image", "letterbox", "letterbox_end")
TURNS = {
    "": (False, False, False),
    "flipped_horizontally": (False, True, False),
    "flipped_vertically": (False, False, True),
    "rotated_180": (False, True, True),
    "transposed": (True, False, False),
    "rotated_90_cw": (True, True, False),
    "rotated_90_ccw": (True, False, True),
    "transversed": (True, True, True),
}
"""The turns of a square: whether x and y change places, and whether x, and y, is then counted from the far side."""


def quads_of(boxes: np.ndarray, form: str) -> np.ndarray:
    """The four numbers that a format writes of boxes (n, 4) xyxy."""
    if form == XXYY:
        return boxes[:, [0, 2, 1, 3]]
    (a, b), (c, d) = FORMATS[form]
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.concatenate((a * low + b * high, c * low + d * high), 1)


def boxes_of(quads: np.ndarray, form: str) -> np.ndarray:
    """The boxes (n, 4) xyxy whose four numbers in a format are ``quads``."""
    if form == XXYY:
        return quads[:, [0, 2, 1, 3]]
    (a, b), (c, d) = FORMATS[form]
    first, second = quads[:, :2], quads[:, 2:]
    determinant = a * d - b * c
    return np.concatenate((d * first - b * second, a * second - c * first), 1) / determinant


def ordered(quads: np.ndarray, order: str) -> np.ndarray:
    """The numbers in an order; each order is its own inverse."""
    return quads[:, list(ORDERS[order])]


def per_share(unit: str | float, size: np.ndarray) -> np.ndarray:
    """How much a coordinate of 1 is in a unit, (n, 2) for x and y, in frames of ``size`` (n, 2) width and height px."""
    if not isinstance(unit, str):
        return np.full(size.shape, float(unit))
    width, height = size[:, 0], size[:, 1]
    one = np.ones(len(size))
    x, y = {
        "share": (one, one),
        "px": (width, height),
        "per_px": (1 / width, 1 / height),
        "wrong_side": (width / height, height / width),
        "width": (one, height / width),
        "height": (width / height, one),
    }[unit]
    return np.stack((x, y), 1)


def letterboxed(frame: str, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Factor and offset (n, 2) that make shares of the image shares of its letterbox, a square of the longer side."""
    if frame == "image":
        return np.ones(size.shape), np.zeros(size.shape)
    factor = size / size.max(1, keepdims=True)
    return factor, (1 - factor) / 2 if frame == "letterbox" else np.zeros(size.shape)


def framed(frame: str, size: np.ndarray) -> np.ndarray:
    """Width and height px (n, 2) of the frame that coordinates are counted in."""
    return size if frame == "image" else np.repeat(size.max(1, keepdims=True), 2, 1)


def turned_size(turn: str, size: np.ndarray) -> np.ndarray:
    """Width and height (n, 2) after a turn."""
    return size[:, ::-1] if TURNS[turn][0] else size


def turned(points: np.ndarray, turn: str) -> np.ndarray:
    """Points (n, 2), shares, as they lie after a turn of the image."""
    swap, far_x, far_y = TURNS[turn]
    points = points[:, ::-1] if swap else points
    return np.where((far_x, far_y), 1 - points, points)


def turned_back(points: np.ndarray, turn: str) -> np.ndarray:
    """Points (n, 2), shares of the turned image, as they lie before the turn."""
    swap, far_x, far_y = TURNS[turn]
    points = np.where((far_x, far_y), 1 - points, points)
    return points[:, ::-1] if swap else points


def spanned(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) xyxy whose opposite corners these are."""
    return np.concatenate((np.minimum(first, second), np.maximum(first, second)), 1)
