"""The grid of cells and anchor points that a level lays over the network's input, letterbox padding included."""

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Patch, Rectangle

from anatomy import Trace, select_levels

from ..canvas.arguments import LevelChoice
from ..canvas.frame import anchor_points, cell_boxes, cell_edges, input_frame
from ..canvas.given import one_trace
from ..canvas.layout import fit, panels
from ..canvas.legend import dot, foot, ring
from ..canvas.palette import MISSING, level_color
from ..canvas.photo import cell_marks, paper_size, photograph, stretch_note
from ..canvas.style import DOUBLE, SINGLE, Picture, Style, styled

PADDING = {"facecolor": "#E4E4E4", "edgecolor": MISSING, "lw": 0}


def anchor_grid(
    trace: Trace,
    level: LevelChoice = "all",
    *,
    cells: bool = True,
    points: bool = True,
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw the cells and anchor points of one or several levels over everything that the network saw.

    The panels show the whole network input in px of the original; letterbox padding is hatched grey. ``cells`` marks
    the cells that made detections, ``points`` draws the anchor points. Returns a Figure; raises SelectionError for an
    unknown level.

    >>> figure = viz.anchor_grid(trace, "P4")
    """
    one_trace(trace, "viz.anchor_grid")
    chosen = select_levels(trace.levels, level)
    frame = input_frame(trace)
    across, down = frame[2] - frame[0], frame[3] - frame[1]
    found = trace.detections
    with styled(style):
        figure, axes = panels(1, len(chosen), (down, across), width or (SINGLE if len(chosen) == 1 else DOUBLE))
        for index, ax in zip(chosen, axes[0], strict=True):
            photograph(ax, trace.image, grey=True, frame=frame)
            _draw_padding(ax, trace, frame)
            rows, cols = trace.shapes[index]
            entry = trace.levels[index]
            ax.set_title(f"{entry.name}, stride {entry.stride:g}: {rows} × {cols} cells")
        padded = frame_is_padded(trace, frame)
        marked = cells and bool(np.isin(found.level, chosen).any())
        foot(figure, _legend(trace, chosen, padded, marked, points), stretch_note(across, down))
        fit(figure)
        for index, ax in zip(chosen, axes[0], strict=True):
            _draw_grid(ax, trace, index, points)
            if cells:
                here = found.level == index
                boxes = cell_boxes(trace, found.level[here], found.row[here], found.col[here])
                cell_marks(ax, boxes, trace.levels[index].name)
    return figure


def frame_is_padded(trace: Trace, frame: np.ndarray) -> bool:
    """Whether the network's input reaches beyond the photograph by more than rounding."""
    height, width = trace.image.shape[:2]
    beyond = np.array([-frame[0], -frame[1], frame[2] - width, frame[3] - height])
    return bool((beyond * np.tile(trace.letterbox.gain, 2) > 1e-6).any())


def _draw_padding(ax: Axes, trace: Trace, frame: np.ndarray) -> None:
    """Hatch what lies in the network's input but not on the photograph."""
    height, width = trace.image.shape[:2]
    x1, y1, x2, y2 = frame
    sides = ((x1, y1, x2, 0), (x1, height, x2, y2), (x1, 0, 0, height), (width, 0, x2, height))
    for left, top, right, bottom in sides:
        if right > left and bottom > top:
            hatched = Rectangle((left, top), right - left, bottom - top, hatch="////", gid="padding", **PADDING)
            ax.add_patch(hatched)


def _draw_grid(ax: Axes, trace: Trace, level: int, points: bool) -> None:
    x, y = cell_edges(trace, level)
    size = paper_size(ax, x[1] - x[0])
    color = level_color(trace.levels[level].name)
    lines = [[(at, y[0]), (at, y[-1])] for at in x] + [[(x[0], at), (x[-1], at)] for at in y]
    grid = LineCollection(lines, colors=color, linewidths=min(0.5, 0.06 * size), alpha=0.8)
    grid.set_gid(f"grid:{trace.levels[level].name}")
    ax.add_collection(grid, autolim=False)
    if points:
        centres = anchor_points(trace, level)
        side = min(2.0, 0.3 * size)
        dots = ax.scatter(*centres.T, s=side**2, c=color, marker="o", linewidths=0)
        dots.set_gid(f"points:{trace.levels[level].name}")


def _legend(trace: Trace, chosen: Sequence[int], padded: bool, marked: bool, points: bool) -> list[Artist]:
    handles: list[Artist] = []
    if points:
        handles.append(dot("anchor point", "0.4"))
    if marked:
        for index in chosen:
            count = int((trace.detections.level == index).sum())
            name = trace.levels[index].name
            if count:
                handles.append(ring(f"cell of a {name} detection ({count})", level_color(name)))
    if padded:
        handles.append(Patch(hatch="//////", label="letterbox padding", **PADDING))
    return handles
