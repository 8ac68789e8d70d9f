"""What a target encoder writes into each level, upon the photograph: lit cells, the boxes they hold, the true boxes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from anatomy.head.levels import level_name
from diagnosis import TargetLayout
from diagnosis.objects.overlap import pair_overlaps

from ..canvas.frame import corners
from ..canvas.palette import level_color
from ..canvas.photo import fit, foot, outline, panels, photograph, stretch_note
from ..canvas.style import DOUBLE, SINGLE, Picture, styled

LIT = 0.5  # a cell counts as an object's when its objectness, or its largest class, exceeds this
FITS = 0.5  # IoU with a true box from which a decoded one counts as right
TRUE, WRONG = "#FFFFFF", "#E8112D"
GREY = 128


def targets(
    encoded: Sequence,
    layout: TargetLayout,
    image: np.ndarray | None = None,
    boxes=None,
    *,
    image_size: tuple[int, int] | None = None,
    title: str | None = None,
    width: float | None = None,
    style=None,
) -> Picture:
    """Draw an encoder's output, one panel a level, so that a scrambled one shows at a glance.

    ``encoded``: one (C, h, w) tensor or array a level, read as ``layout`` says; ``image`` (H, W, 3) uint8 RGB, or
    ``image_size`` (height, width) px for a blank one; ``boxes`` (n, 4) xyxy px, the true ones. Each cell has the colour
    of its level, stronger the larger its objectness or class; the boxes that the lit cells hold are drawn through, in
    red where no true box has an IoU of 0.5 with them, with a line from the cell to its box. Cells beyond the image are
    shown where they lie. ``title`` stands at the left, for figures that go below one another. Returns a Figure; raises
    ValueError for levels that do not fit the layout.
    """
    levels = [np.asarray(level, dtype=np.float64) for level in encoded]
    _check(levels, layout)
    height, across = _size(levels, layout, image, image_size)
    image = np.full((height, across, 3), GREY, np.uint8) if image is None else image
    truth = None if boxes is None else np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    readings = [_read(level, layout, index, (height, across)) for index, level in enumerate(levels)]
    reach = [
        (shape[1] * s, shape[0] * s) for shape, s in zip([x.shape[1:] for x in levels], layout.strides, strict=True)
    ]
    frame = (0, 0, max(across, *(x for x, _ in reach)), max(height, *(y for _, y in reach)))
    with styled(style):
        figure, axes = panels(1, len(levels), frame[3:1:-1], width or (SINGLE if len(levels) == 1 else DOUBLE))
        wrong, lit = 0, 0
        for ax, level, reading, stride in zip(axes[0], levels, readings, layout.strides, strict=True):
            photograph(ax, image, grey=True, frame=frame)
            ax.set_facecolor("#E4E4E4")
            bad = _draw(ax, reading, level_name(stride), truth)
            wrong, lit = wrong + bad, lit + len(reading["boxes"])
            _title(ax, level_name(stride), level.shape[1:], len(reading["boxes"]), bad, truth)
        if title:
            axes[0, 0].set_ylabel(title)
        foot(figure, _legend(layout, truth, wrong, lit), stretch_note(frame[2], frame[3]))
        fit(figure)
    return figure


def _check(levels, layout: TargetLayout) -> None:
    if len(levels) != len(layout.strides):
        raise ValueError(f"The layout has {len(layout.strides)} strides, but {len(levels)} levels were given.")
    for index, level in enumerate(levels):
        if level.ndim != 3 or level.shape[0] < layout.channels:
            raise ValueError(
                f"Each level must be (C, h, w) with C of at least {layout.channels}, but level {index}: {level.shape}."
            )


def _size(levels, layout: TargetLayout, image, image_size) -> tuple[int, int]:
    """Height and width of the image in px: its own, as given, or what the finest grid covers."""
    if image is not None:
        return image.shape[:2]
    if image_size is not None:
        return int(image_size[0]), int(image_size[1])
    return tuple(int(side * layout.strides[0]) for side in levels[0].shape[1:])


def _read(level: np.ndarray, layout: TargetLayout, index: int, size) -> dict[str, np.ndarray]:
    """Strength and outline of every cell, and of the lit ones centre and decoded box, all in px."""
    stride = layout.strides[index]
    channels = list(layout.class_channels) if layout.objectness is None else [layout.objectness]
    strength = np.nan_to_num(level[channels].max(0))
    row, col = np.indices(strength.shape)
    cells = np.stack((col, row, col + 1, row + 1), -1) * stride
    on = strength > LIT
    point = (np.stack((col, row), -1)[on] + layout.grid_offset) * stride
    return {
        "strength": strength,
        "cells": cells,
        "points": point,
        "boxes": _decode(level[list(layout.box)][:, on].T, point, stride, layout, size),
    }


def _decode(values: np.ndarray, point: np.ndarray, stride: float, layout: TargetLayout, size) -> np.ndarray:
    """(k, 4) box channels of cells with these anchor points (k, 2) as xyxy px."""
    height, width = size
    unit = {"px": (1, 1), "stride": (stride, stride), "normalized": (width, height)}[layout.unit]
    first, second = values[:, :2] * unit, values[:, 2:] * unit
    if layout.format == "ltrb":
        return np.concatenate((point - first, point + second), 1)
    first = first + point if layout.relative else first
    if layout.format == "xyxy":
        return np.concatenate((first, second + point if layout.relative else second), 1)
    low = first - second / 2 if layout.format == "cxcywh" else first
    return np.concatenate((low, low + second), 1)


def _draw(ax, reading, name: str, truth) -> int:
    """Cells, true boxes, decoded boxes and the way from cell to box; returns how many boxes fit no object."""
    strong = reading["strength"] > 0.02
    opacity = 0.15 + 0.75 * reading["strength"][strong].clip(0, 1)
    cells = PolyCollection(
        corners(reading["cells"][strong]), facecolors=[to_rgba(level_color(name), value) for value in opacity], lw=0
    )
    cells.set_gid(f"cells:{name}")
    ax.add_collection(cells, autolim=False)
    boxes, points = reading["boxes"], reading["points"]
    bad = np.zeros(len(boxes), bool)
    if truth is not None:
        bad = ~(pair_overlaps(boxes, truth) >= FITS).any(1)
        outline(ax, corners(truth), "black", width=1.8, gid="true-ground", halo=False)
        outline(ax, corners(truth), TRUE, width=1.0, gid="true", halo=False)
    for chosen, color, what in ((~bad, level_color(name), "fits"), (bad, WRONG, "wrong")):
        outline(ax, corners(boxes[chosen]), color, width=0.8, gid=f"{what}:{name}", halo=False)
        ways = np.stack((points[chosen], (boxes[chosen, :2] + boxes[chosen, 2:]) / 2), 1)
        lines = LineCollection(ways, colors=color, linewidths=0.5)
        lines.set_gid(f"way:{what}:{name}")
        ax.add_collection(lines, autolim=False)
    return int(bad.sum())


def _title(ax, name: str, shape, lit: int, bad: int, truth) -> None:
    words = f"{name}: {shape[0]} × {shape[1]} cells, {lit} lit"
    ax.set_title(words if truth is None else f"{words}, {bad} wrong")
    for spine in ax.spines.values():
        spine.set(color=level_color(name), linewidth=1.4)


def _legend(layout: TargetLayout, truth, wrong: int, lit: int) -> list:
    what = "largest class" if layout.objectness is None else "objectness"
    handles = [Patch(facecolor="0.5", label=f"cell, the stronger its {what}")]
    handles.append(Line2D([], [], color="0.5", linewidth=0.8, label=f"box that a lit cell holds: {lit}"))
    if truth is not None:
        handles.append(Line2D([], [], color=WRONG, linewidth=0.8, label=f"and that fits no object: {wrong}"))
        handles.append(Line2D([], [], color="0.8", linewidth=1.3, label=f"true box: {len(truth)} (white)"))
    return handles
