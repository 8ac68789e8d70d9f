"""What each channel of a target or output tensor means, how it is stored, and how to read boxes out of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from anatomy.shown import Record

from .families import family

FORMATS = ("cxcywh", "xywh", "xyxy", "ltrb")
UNITS = ("px", "stride", "normalized", "prior")
FUNCTIONS = ("identity", "log", "sqrt", "square")
LEVEL_AXES = ("CHW", "HWC", "ACHW", "AHWC", "HWAC", "AC,H,W")
AXES = (*LEVEL_AXES, "NC", "LNC")
CLASS_VALUES = ("one_hot", "soft", "ids", "gaussian")


def _in_tuples(value: Any) -> Any:
    """Arrays, tensors and lists as tuples of plain numbers, so that layouts compare and print alike."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return tuple(map(_in_tuples, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value


@dataclass(frozen=True, repr=False)
class TargetLayout(Record):
    """Channels of one tensor a level (or of one for all), and the order in which they are stored.

    ``box``: four channels in ``format`` (``cxcywh``, ``xywh`` corner and size, ``xyxy``, ``ltrb`` distances from the
    anchor point) and ``unit`` (``px`` of the image, ``stride`` of the level, ``normalized`` by image width and height,
    ``prior`` by the anchor's own sides). ``relative``: positions are given from the cell's anchor point.
    ``objectness``: its channel, or None. ``classes``: the class channels. ``strides`` in px, finest first.
    ``grid_offset``: the anchor point of cell (row, col) is (col + grid_offset, row + grid_offset) strides.

    ``size_unit``: the unit of sizes where it is another. ``size_function``: what is stored of a size (of the four
    distances in ``ltrb``) in its unit: identity, log, sqrt, square. ``anchors``: a level, the priors (width, height) px
    of each anchor of a cell; channels are then those of one anchor. ``axes``: how a level is stored (``AC,H,W``:
    channels anchor by anchor; ``NC`` all levels in one flat array, rows, columns, anchors; ``LNC`` flat, a level; a
    leading ``B`` is a batch of one). ``class_values``: one_hot, soft (largest at the object's class), ids (one channel
    holds the class), gaussian (1 at the object's cell, falling around it). ``background``: what ids or objectness hold
    where no object is. ``ignore``: the value of objectness and classes that leaves a cell out. ``objectness_values``:
    binary or soft. ``num_classes``: needed with ids.
    """

    box: tuple[int, int, int, int] = (0, 1, 2, 3)
    format: str = "cxcywh"
    unit: str = "px"
    relative: bool = False
    objectness: int | None = 4
    classes: slice | Sequence[int] = field(default_factory=lambda: slice(5, 16))
    strides: tuple[float, ...] = (8, 16, 32)
    grid_offset: float = 0.5
    size_unit: str | None = field(default=None, kw_only=True)
    size_function: str = field(default="identity", kw_only=True)
    anchors: Sequence[Sequence[tuple[float, float]]] | None = field(default=None, kw_only=True)
    axes: str = field(default="CHW", kw_only=True)
    class_values: str = field(default="one_hot", kw_only=True)
    background: float = field(default=0.0, kw_only=True)
    ignore: float | None = field(default=None, kw_only=True)
    objectness_values: str = field(default="binary", kw_only=True)
    num_classes: int | None = field(default=None, kw_only=True)

    def __post_init__(self):
        for name in ("box", "classes", "strides", "anchors"):
            object.__setattr__(self, name, _in_tuples(getattr(self, name)))
        self._check_words()
        self._check_levels()
        used = [*self.box, *([] if self.objectness is None else [self.objectness]), *self.class_channels]
        if len(self.box) != 4 or len(set(used)) < len(used) or min(used) < 0:
            raise ValueError(
                "Four box channels, the objectness and the classes must be different channels, but the layout names "
                f"box {self.box}, objectness {self.objectness}, classes {self.classes}."
            )
        if not self.class_channels:
            raise ValueError(f"At least one class channel is needed, but classes={self.classes} names none.")
        if self.class_values == "ids" and (len(self.class_channels) != 1 or not self.num_classes):
            raise ValueError(
                "Class ids stand in one channel and need num_classes, but "
                f"classes={self.classes} and num_classes={self.num_classes} were given."
            )

    def __repr__(self) -> str:
        """As it would be written: of the fields beyond the first eight those alone that say something."""
        return self.written([one.name for one in fields(self)[:8]])

    def written(self, always: Collection[str]) -> str:
        """The layout as a call: the fields ``always``, and of the others those that are not as by default."""
        plain, told = TargetLayout(), []
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in always or value != getattr(plain, one.name):
                told.append(f"{one.name}={value!r}")
        return f"TargetLayout({', '.join(told)})"

    def _check_words(self) -> None:
        if self.format not in FORMATS or self.unit not in UNITS:
            raise ValueError(
                f"format must be one of {FORMATS} and unit one of {UNITS}, but {self.format!r} and {self.unit!r} came."
            )
        for name, words in (
            ("size_unit", (None, *UNITS)),
            ("size_function", FUNCTIONS),
            ("axes", (*AXES, *(f"B{axes}" for axes in AXES))),
            ("class_values", CLASS_VALUES),
            ("objectness_values", ("binary", "soft")),
        ):
            if getattr(self, name) not in words:
                raise ValueError(f"{name} must be one of {words}, but {getattr(self, name)!r} was given.")

    def _check_levels(self) -> None:
        if not self.strides or any(stride <= 0 for stride in self.strides):
            raise ValueError(f"strides must be positive px, finest level first, but {self.strides!r} was given.")
        if self.anchors is None:
            if "prior" in (self.unit, self.size_unit):
                raise ValueError(
                    "The unit 'prior' needs anchors: a level, the (width, height) px of each of its priors."
                )
            return
        counts = {len(level) for level in self.anchors}
        if len(self.anchors) != len(self.strides) or len(counts) != 1 or 0 in counts:
            raise ValueError(
                f"anchors must list equally many (width, height) for each of the {len(self.strides)} levels, "
                f"but {self.anchors!r} was given."
            )
        if any(side <= 0 for level in self.anchors for prior in level for side in prior):
            raise ValueError(f"The sides of priors are positive px, but {self.anchors!r} was given.")

    @classmethod
    def of(
        cls,
        name: str,
        *,
        classes: int = 80,
        strides: Sequence[float] | None = None,
        anchors: Sequence[Sequence[tuple[float, float]]] | None = None,
        **changes: Any,
    ) -> "TargetLayout":
        """The layout of a known family ("yolov1" to "yolox", "fcos", "retinanet", "centernet", …), with ``changes``.

        ``classes``: how many. ``strides`` and ``anchors`` (a level, (width, height) px) where they are not the
        family's own. ValueError for an unknown name.
        """
        return cls(**{**family(name, classes, strides, anchors), **changes})

    @cached_property
    def class_channels(self) -> tuple[int, ...]:
        """The channel of each class (the one of the ids, with ids); ValueError for a slice without an end."""
        if isinstance(self.classes, slice):
            if self.classes.stop is None or self.classes.stop < 0 or (self.classes.start or 0) < 0:
                raise ValueError(f"The class slice needs a start and an end from 0 up, but {self.classes} was given.")
            return tuple(range(self.classes.start or 0, self.classes.stop, self.classes.step or 1))
        return tuple(self.classes)

    @property
    def channels(self) -> int:
        """The least number of channels that a cell (an anchor of a cell) needs."""
        return 1 + max((*self.box, *self.class_channels, -1 if self.objectness is None else self.objectness))

    @property
    def class_count(self) -> int:
        """How many classes there are."""
        return self.num_classes if self.class_values == "ids" and self.num_classes else len(self.class_channels)

    @property
    def anchor_count(self) -> int:
        """How many anchors a cell has; 1 without priors."""
        return 1 if self.anchors is None else len(self.anchors[0])

    def priors(self, level: int) -> np.ndarray:
        """(A, 2): width and height px of each anchor of a level; those of one stride where there are no priors."""
        if self.anchors is None:
            return np.full((1, 2), float(self.strides[level]))
        return np.array(self.anchors[level], float)


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
