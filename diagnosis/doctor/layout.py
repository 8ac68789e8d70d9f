"""What each channel of a per-level target or output tensor means, and how to read boxes out of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

FORMATS = ("cxcywh", "xywh", "xyxy", "ltrb")
UNITS = ("px", "stride", "normalized")


@dataclass(frozen=True)
class TargetLayout:
    """Channels of one (C, h, w) tensor a level.

    ``box``: four channels in ``format`` (``cxcywh``, ``xywh`` corner and size, ``xyxy``, ``ltrb`` distances from the
    anchor point) and ``unit`` (``px`` of the image, ``stride`` of the level, ``normalized`` by image width and height).
    ``relative``: positions are given from the cell's anchor point. ``objectness``: its channel, or None. ``classes``:
    the class channels. ``strides`` in px, finest first. ``grid_offset``: the anchor point of cell (row, col) is
    ((col + grid_offset) * stride, (row + grid_offset) * stride); 0.5 in Ultralytics.
    """

    box: tuple[int, int, int, int] = (0, 1, 2, 3)
    format: str = "cxcywh"
    unit: str = "px"
    relative: bool = False
    objectness: int | None = 4
    classes: slice | Sequence[int] = field(default_factory=lambda: slice(5, 16))
    strides: tuple[float, ...] = (8, 16, 32)
    grid_offset: float = 0.5

    def __post_init__(self):
        if self.format not in FORMATS or self.unit not in UNITS:
            raise ValueError(
                f"format must be one of {FORMATS} and unit one of {UNITS}, but {self.format!r} and {self.unit!r} came."
            )
        if not self.strides or any(stride <= 0 for stride in self.strides):
            raise ValueError(f"strides must be positive px, finest level first, but {self.strides!r} was given.")
        used = [*self.box, *([] if self.objectness is None else [self.objectness]), *self.class_channels]
        if len(self.box) != 4 or len(set(used)) < len(used) or min(used) < 0:
            raise ValueError(
                "Four box channels, the objectness and the classes must be different channels, but the layout names "
                f"box {self.box}, objectness {self.objectness}, classes {self.classes}."
            )
        if not self.class_channels:
            raise ValueError(f"At least one class channel is needed, but classes={self.classes} names none.")

    @property
    def class_channels(self) -> tuple[int, ...]:
        """The channel of each class; ValueError for a slice without an end."""
        if isinstance(self.classes, slice):
            if self.classes.stop is None or self.classes.stop < 0 or (self.classes.start or 0) < 0:
                raise ValueError(f"The class slice needs a start and an end from 0 up, but {self.classes} was given.")
            return tuple(range(self.classes.start or 0, self.classes.stop, self.classes.step or 1))
        return tuple(self.classes)

    @property
    def channels(self) -> int:
        """The least number of channels that a tensor needs."""
        return 1 + max((*self.box, *self.class_channels, -1 if self.objectness is None else self.objectness))


def as_xyxy(values: np.ndarray, anchor: np.ndarray, form: str, *, relative: bool) -> np.ndarray:
    """Box channels (n, 4) in px, as xyxy px of the image; ``anchor`` (n, 2) xy px are the points of their cells."""
    first, last = values[:, :2], values[:, 2:]
    if form == "ltrb":
        return np.concatenate((anchor - first, anchor + last), 1)
    start = anchor if relative else np.zeros_like(anchor)
    if form == "xyxy":
        return np.concatenate((first + start, last + start), 1)
    low = first + start - last / 2 if form == "cxcywh" else first + start
    return np.concatenate((low, low + last), 1)
