"""How four written numbers become a box: Ultralytics' form, and every departure from it that has a name."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from anatomy.shown import Told

from .forms import (
    FORMATS,
    FRAMES,
    ORDERS,
    TURNS,
    UNITS,
    XXYY,
    boxes_of,
    framed,
    letterboxed,
    ordered,
    per_share,
    quads_of,
    spanned,
    turned,
    turned_back,
    turned_size,
)
from .words import reading_in_words

FORMAT_CODES = {
    "xywh": "corner_as_centre",
    "x2y2wh": "centre_as_corner",
    "xyxy": "xyxy_as_cxcywh",
    "xyxy_as_xywh": "xyxy_as_xywh",
    XXYY: "xyxy_as_cxcywh",
}
PIXEL_CODES = {"cxcywh": "pixels", "xywh": "pixels_xywh", "xyxy": "pixels_xyxy"}
UNIT_CODES = {"px": "pixels", "wrong_side": "wrong_side", "width": "by_width", "height": "by_height"}
SIZE_CODES = {0.5: "half_size", 2.0: "double_size"}
READING_CODES = frozenset(
    [
        *filter(None, [*ORDERS, *TURNS]),
        *FORMAT_CODES.values(),
        *PIXEL_CODES.values(),
        *UNIT_CODES.values(),
        *SIZE_CODES.values(),
        *("other_unit", "letterbox_coordinates", "scaled", "shifted"),
    ]
)
"""All codes that a reading may have."""


@dataclass(frozen=True, repr=False)
class Reading(Told):
    """How four written numbers become a box; ``Reading()`` is Ultralytics' form: cx cy w h, shares of the image.

    A departure says what was done to right boxes before they were written, in this order: ``scale`` (x, y) of all
    coordinates about the image's upper left corner, then ``shift`` (x, y) in shares of the image, and ``size``, the
    factor on widths and heights about each box's centre; ``turn``, a key of ``TURNS``, by which the labels lie turned
    against the image; ``frame``: shares of the image, or of its letterbox (the padding on both sides, or at the end);
    ``unit``: share of the own side, px, share of a px ("per_px": divided by the side twice), of the "wrong_side", of
    the "width" or "height" alone, or a number that stands for the whole, such as 100 or 1000; ``format``, a key of
    ``FORMATS`` or "xxyy"; ``order``, a key of ``ORDERS``: the places of the numbers. ``boxes`` takes it all back;
    ``written`` does it, and is its exact inverse.
    """

    order: str = ""
    format: str = "cxcywh"
    unit: str | float = "share"
    frame: str = "image"
    turn: str = ""
    size: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self):
        known = {"order": ORDERS, "format": (*FORMATS, XXYY), "frame": FRAMES, "turn": TURNS}
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(map(repr, values))}, not {getattr(self, name)!r}."
                )
        if self.unit not in UNITS if isinstance(self.unit, str) else not self.unit > 0:
            raise ValueError(f"`unit` must be one of {', '.join(UNITS)}, or a number above 0, not {self.unit!r}.")
        if not min(self.size, *self.scale) > 0:
            raise ValueError(f"`size` and `scale` must be above 0, but are {self.size} and {self.scale}.")

    @property
    def codes(self) -> tuple[str, ...]:
        """The departures by their codes; () for labels that are right."""
        found = [self.order, *self._format_and_unit()]
        found.append("" if self.frame == "image" else "letterbox_coordinates")
        found.append(self.turn)
        found.append("" if self.size == 1 else SIZE_CODES.get(self.size, "scaled"))
        found.append("" if self.scale == (1, 1) else "scaled")
        found.append("shifted" if self._shifted() else "")
        return tuple(dict.fromkeys(code for code in found if code))

    @property
    def departures(self) -> tuple[str, ...]:
        """The names of the fields that depart from Ultralytics' form."""
        right = Reading()
        return tuple(field.name for field in fields(self) if getattr(self, field.name) != getattr(right, field.name))

    @property
    def pointwise(self) -> "Reading":
        """What of it moves single points: all but a format, a size of boxes, and numbers of one pair exchanged."""
        order = self.order if self.order == "axes_swapped" else ""
        return replace(self, format="cxcywh", size=1.0, order=order)

    def boxes(self, quads: ArrayLike, size: ArrayLike) -> np.ndarray:
        """The boxes (n, 4) xyxy, shares of the image, that written numbers (n, 4) stand for.

        ``size``: (width, height) px of the image, or (n, 2), one a row. Not clipped; a side that would be negative
        stays so: x2 < x1 or y2 < y1.
        """
        quads, sizes = _rows(quads, size)
        frame_size, undo = self._frame(sizes)
        boxes = boxes_of(ordered(quads, self.order), self.format) / np.tile(per_share(self.unit, frame_size), 2)
        inside_out = boxes[:, 2:] < boxes[:, :2]
        if TURNS[self.turn][0]:
            inside_out = inside_out[:, ::-1]
        found = spanned(undo(boxes[:, :2]), undo(boxes[:, 2:]))
        low, high = found[:, :2], found[:, 2:]
        found = np.concatenate((np.where(inside_out, high, low), np.where(inside_out, low, high)), 1)
        return _sized(found, 1 / self.size)

    def written(self, boxes: ArrayLike, size: ArrayLike) -> np.ndarray:
        """The numbers (n, 4) that right boxes (n, 4) xyxy, shares of the image, become when written this way."""
        boxes, sizes = _rows(boxes, size)
        boxes = _sized(boxes, self.size)
        corners = spanned(self._forth(boxes[:, :2], sizes), self._forth(boxes[:, 2:], sizes))
        frame_size, _ = self._frame(sizes)
        return ordered(quads_of(corners * np.tile(per_share(self.unit, frame_size), 2), self.format), self.order)

    def points(self, points: ArrayLike, size: ArrayLike) -> np.ndarray:
        """The points (k, 2), shares of the image, that written ones (k, 2) stand for: polygons, corners, keypoints.

        Raises ValueError for a reading of boxes alone; ``pointwise`` is what of it holds for points.
        """
        if self != self.pointwise:
            raise ValueError(f"Points have no box format or size, but this reading is: {self}. Use its `pointwise`.")
        points, sizes = _rows(points, size, 2)
        points = points[:, ::-1] if self.order else points
        frame_size, undo = self._frame(sizes)
        return undo(points / per_share(self.unit, frame_size))

    def written_points(self, points: ArrayLike, size: ArrayLike) -> np.ndarray:
        """The numbers (k, 2) that right points become when written this way; the inverse of ``points``."""
        points, sizes = _rows(points, size, 2)
        frame_size, _ = self._frame(sizes)
        found = self._forth(points, sizes) * per_share(self.unit, frame_size)
        return found[:, ::-1] if self.order == "axes_swapped" else found

    def __str__(self) -> str:
        return reading_in_words(self)

    def _shifted(self) -> bool:
        """Whether there is a shift that is not that of a scale about some point of the image."""
        for shift, scale in zip(self.shift, self.scale, strict=True):
            if shift and (scale == 1 or not -0.1 <= shift / (1 - scale) <= 1.1):
                return True
        return False

    def _format_and_unit(self) -> tuple[str, ...]:
        if self.unit == "px" and self.format in PIXEL_CODES:
            return (PIXEL_CODES[self.format],)
        unit = "" if self.unit == "share" else UNIT_CODES.get(str(self.unit), "other_unit")
        return FORMAT_CODES.get(self.format, ""), unit

    def _frame(self, sizes: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """The size of the frame that coordinates are counted in, and the way from its shares to the image's."""
        upright = turned_size(self.turn, sizes)
        factor, offset = letterboxed(self.frame, upright)

        def undo(points: np.ndarray) -> np.ndarray:
            return (turned_back((points - offset) / factor, self.turn) - self.shift) / self.scale

        return framed(self.frame, upright), undo

    def _forth(self, points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Points of the image, shares, as shares of the frame that they are counted in."""
        factor, offset = letterboxed(self.frame, turned_size(self.turn, sizes))
        return turned(points * self.scale + self.shift, self.turn) * factor + offset


def _rows(numbers: Any, size: Any, columns: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, columns) and the size (n, 2) of the image of each, as float64."""
    rows = np.asarray(numbers, np.float64).reshape(-1, columns)
    return rows, np.broadcast_to(np.asarray(size, np.float64), (len(rows), 2))


def _sized(boxes: np.ndarray, factor: float) -> np.ndarray:
    """Boxes (n, 4) xyxy made larger about their centres."""
    if factor == 1:
        return boxes
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 * factor
    return np.concatenate((centre - half, centre + half), 1)
