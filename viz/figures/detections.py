"""Detections on the photograph, coloured by the level that made them."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.typing import LineStyleType

from anatomy import Level, Trace

from ..canvas.cut import cut_handles, draw_cut
from ..canvas.frame import cell_boxes, corners, outlines
from ..canvas.given import one_trace
from ..canvas.labels import Label, write_labels
from ..canvas.layout import fit, panels
from ..canvas.legend import foot, retitle, ring
from ..canvas.palette import level_color
from ..canvas.photo import cell_marks, outline, photograph, stretch_note
from ..canvas.style import DOUBLE, SINGLE, Picture, Style, styled

DASHES = (0, (4, 3))  # of what was suppressed


def detections(
    trace: Trace,
    *,
    rivals: bool = True,
    label: bool = True,
    cells: bool = True,
    most: int = 30,
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw every detection in the colour of its level, with the cell that made it.

    ``rivals``: the boxes that suppression removed, dashed, each in the colour of its own level. ``label``: class,
    confidence, level and cell (row, column) of the ``most`` confident detections. A side that the ceiling of its level
    cuts is thick and dotted. ``width`` in inches, ``style`` as
    ``matplotlib.style.use`` takes it. Returns a Figure; nothing is shown or written.

    >>> figure = viz.detections(trace)
    """
    one_trace(trace, "viz.detections")
    shape = trace.image.shape[:2]
    with styled(style):
        figure, axes = panels(1, 1, shape, width or (DOUBLE if shape[1] >= shape[0] else SINGLE))
        ax = axes[0, 0]
        photograph(ax, trace.image)
        found = trace.detections
        lost = sum(map(len, found.suppressed))
        notes = stretch_note(shape[1], shape[0])
        if label and len(found) > most:
            notes.append(f"Labels: the {most} most confident of {len(found)} detections.")
        legend = foot(figure, _legend(trace, lost if rivals else 0, cells and len(found) > 0), notes)
        fit(figure)
        if rivals:
            _draw_rivals(ax, trace)
        draw_boxes(ax, trace)
        draw_cut(ax, trace)
        boxes = cell_boxes(trace, found.level, found.row, found.col)
        if cells:
            for level in trace.levels:
                cell_marks(ax, boxes[found.level == level.index], level.name)
        if label:
            left_out = write_labels(ax, _labels(trace, most), boxes)
            if left_out:
                retitle(figure, legend, [*notes, f"No room for {left_out} labels."])
                fit(figure)
    return figure


def draw_boxes(
    ax: Axes,
    trace: Trace,
    chosen: np.ndarray | None = None,
    *,
    width: float = 1.2,
    style: LineStyleType = "-",
    gid: str = "boxes",
) -> None:
    """Draw the boxes of detections (those of indices ``chosen``, by default all), one collection a level."""
    shapes, levels = outlines(trace), trace.detections.level
    if chosen is not None:
        shapes, levels = shapes[chosen], levels[chosen]
    for level in trace.levels:
        here = shapes[levels == level.index]
        outline(ax, here, level_color(level.name), width=width, style=style, gid=f"{gid}:{level.name}")


def level_handles(levels: Sequence[Level], counts: Iterable[object]) -> list[Patch]:
    """One legend entry a level, with the number of its detections."""
    return [
        Patch(
            facecolor="none",
            edgecolor=level_color(level.name),
            linewidth=1.5,
            label=f"{level.name}, stride {level.stride:g}: {count}",
        )
        for level, count in zip(levels, counts, strict=True)
    ]


def _legend(trace: Trace, lost: int, cells: bool) -> list[Artist]:
    counts = np.bincount(trace.detections.level, minlength=len(trace.levels))
    handles: list[Artist] = [*level_handles(trace.levels, counts)]
    if cells:
        handles.append(ring("the cell that made it", "0.4", size=4))
    handles += cut_handles(int(trace.cut.sum()))
    if lost:
        handles.append(Line2D([], [], color="0.4", linewidth=0.7, linestyle="--", label=f"suppressed rivals: {lost}"))
    return handles


def _draw_rivals(ax: Axes, trace: Trace) -> None:
    groups = trace.detections.suppressed
    if not any(map(len, groups)):
        return
    shapes = corners(np.concatenate([group.xyxy for group in groups]))
    levels = np.concatenate([group.level for group in groups])
    for level in trace.levels:
        here = shapes[levels == level.index]
        outline(ax, here, level_color(level.name), width=0.5, style=DASHES, gid=f"rivals:{level.name}")


def _labels(trace: Trace, most: int) -> list[Label]:
    found = trace.detections
    return [
        Label(
            f"{found.class_name[i]} {found.confidence[i]:.2f}\n{found.level_name[i]} ({found.row[i]}, {found.col[i]})"
            + "\ncut" * bool(trace.cut[i]),
            found.xyxy[i],
            level_color(found.level_name[i]),
        )
        for i in np.argsort(-found.confidence, kind="stable")[:most]
    ]
