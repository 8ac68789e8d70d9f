"""What an encoder wrote into each level, as its layout reads it: how strong cells are, which boxes lit ones hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from anatomy.head.levels import level_name
from diagnosis import TargetLayout
from diagnosis.doctor.layout import as_xyxy
from diagnosis.doctor.storage import Misfit, advice, arrays, order

LIT = 0.5  # a cell counts as an object's when its objectness, or its largest class, exceeds this
SHOWN = 0.02  # a weaker cell is not coloured; where targets are soft, a stronger one counts as an object's
PEAK = 0.999  # a cell of a Gaussian counts as an object's from here on
INVERSE = {"identity": np.positive, "log": np.exp, "sqrt": np.square, "square": np.sqrt}


@dataclass(frozen=True)
class Written:
    """What an encoder wrote into one level, in px of the image.

    ``strength`` (h, w) of its objectness or largest class, over the anchors of a cell; ``cells`` (h, w, 4) xyxy; of the
    k lit anchors ``points`` (k, 2) xy, where they lie, and ``boxes`` (k, 4) xyxy, the boxes that they hold.
    """

    name: str
    strength: np.ndarray
    cells: np.ndarray
    points: np.ndarray
    boxes: np.ndarray


def read_levels(encoded: Any, layout: TargetLayout, size: tuple[int, int] | None) -> list[Written]:
    """Each level of an encoder's output for an image of ``size`` (height, width) px; None: what the finest grid covers.

    ValueError where the output is not what the layout declares, with the axes under which it could be read.
    """
    flat = layout.axes.endswith("NC")
    if flat and size is None:
        raise ValueError(f"Targets with axes={layout.axes!r} have no grid of their own: give image or image_size.")
    single = layout.axes.removeprefix("B") == "NC"
    if not single and len(encoded) != len(layout.strides):
        raise ValueError(f"The layout has {len(layout.strides)} strides, but {len(encoded)} levels were given.")
    given = encoded if single else [_array(level) for level in encoded]
    try:
        found = arrays(given, layout, size or (0, 0))
    except Misfit as misfit:
        shape = "" if flat else f"Each level must be {_shape(layout)} with C of at least {layout.channels}: "
        raise ValueError(f"{shape}{misfit}.{advice(given, layout, size) if size else ''}") from misfit
    moved = [np.moveaxis(level, [order(layout).index(letter) for letter in "CAHW"], range(4)) for level in found]
    rows, columns = moved[0].shape[2:]
    size = size or (int(rows * layout.strides[0]), int(columns * layout.strides[0]))
    return [_read(level, layout, index, size) for index, level in enumerate(moved)]


def _array(level: ArrayLike) -> Any:
    """Tensors and arrays as they are; lists as arrays."""
    return level if hasattr(level, "shape") else np.asarray(level, dtype=np.float64)


def _shape(layout: TargetLayout) -> str:
    """The shape of one level as the layout declares it, like "(3, C, h, w)"."""
    count = layout.anchor_count
    names = {"A": str(count), "C": "C", "H": "h", "W": "w", "B": "1"}
    if count > 1 and layout.axes.removeprefix("B") in ("CHW", "HWC", "AC,H,W"):
        names["C"] = f"{count} · C"
    letters = layout.axes.replace("AC,H,W", "CHW")
    return f"({', '.join(names[letter] for letter in letters)})"


def _read(level: np.ndarray, layout: TargetLayout, index: int, size: tuple[int, int]) -> Written:
    """The cells of a level (C, A, h, w), and the boxes of the anchors that count as an object's."""
    stride = layout.strides[index]
    strength = _strength(level, layout)
    row, col = np.indices(strength.shape[1:])
    cells = np.stack((col, row, col + 1, row + 1), -1) * stride
    anchor, row, col = np.nonzero(_lit(strength, layout))
    points = (np.stack((col, row), -1) + layout.grid_offset) * stride
    values = level[list(layout.box)][:, anchor, row, col].T.astype(np.float64)
    boxes = _decode(values, points, layout, (stride, layout.priors(index)[anchor], size))
    return Written(level_name(stride), strength.max(0), cells, points, boxes)


def _strength(level: np.ndarray, layout: TargetLayout) -> np.ndarray:
    """(A, h, w): objectness, or the largest class, from 0 to 1; 0 where a cell is left out, 1 where it holds an id."""
    channels = list(layout.class_channels) if layout.objectness is None else [layout.objectness]
    values = np.nan_to_num(level[channels])
    if layout.objectness is None and layout.class_values == "ids":
        values = np.ones_like(values)
    empty = [layout.background, layout.ignore] if _says_empty(layout) else [layout.ignore]
    for nothing in empty:
        values = values if nothing is None else np.where(level[channels] == nothing, 0, values)
    return values.max(0).clip(0, 1)


def _says_empty(layout: TargetLayout) -> bool:
    """Whether ``background`` speaks of what strength is read from."""
    return layout.objectness is not None or layout.class_values == "ids"


def _lit(strength: np.ndarray, layout: TargetLayout) -> np.ndarray:
    """(A, h, w) bool: the anchors that count as an object's."""
    kind = layout.class_values if layout.objectness is None else layout.objectness_values
    if kind == "gaussian":
        return strength >= PEAK
    return strength > (SHOWN if kind == "soft" else LIT)


def _decode(
    values: np.ndarray, points: np.ndarray, layout: TargetLayout, scale: tuple[float, np.ndarray, tuple[int, int]]
) -> np.ndarray:
    """(k, 4) box channels at these points (k, 2) as xyxy px; ``scale``: stride, priors (k, 2), image size."""
    first = values[:, :2] * _unit(layout.unit, *scale)
    with np.errstate(all="ignore"):  # what is no size may be too large for an exponential
        if layout.format in ("xyxy", "ltrb"):
            function = INVERSE[layout.size_function if layout.format == "ltrb" else "identity"]
            four = function(values) * np.tile(_unit(layout.unit, *scale), 2)
        else:
            last = INVERSE[layout.size_function](values[:, 2:]) * _unit(layout.size_unit or layout.unit, *scale)
            four = np.concatenate((first, last), 1)
        return as_xyxy(four, points, layout.format, relative=layout.relative)


def _unit(name: str, stride: float, priors: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """(1, 2) or (k, 2): px of one unit of x and of y."""
    height, width = size
    plain = {"px": (1, 1), "stride": (stride, stride), "normalized": (width, height)}
    return priors if name == "prior" else np.array([plain[name]], float)
