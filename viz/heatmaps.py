"""How sure each cell of each level is, drawn upon the photograph cell by cell."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from anatomy import Trace, select_levels

from .frame import cell_boxes
from .heat import MISSING_HATCH, colour_scale, draw_heat, heat_scale
from .palette import MISSING, level_color
from .photo import cell_marks, fit, foot, panels, photograph, stretch_note
from .readings import readings
from .style import DOUBLE, SINGLE, Picture, styled

FLOOR = -15.0  # logits below it, probabilities under 3e-7, are drawn alike


def heatmaps(
    trace: Trace,
    classes=None,
    what: str = "objectness",
    *,
    level="all",
    scale: str = "shared",
    limits: tuple[float, float] | None = None,
    cells: bool = True,
    cmap: str = "magma",
    width: float | None = None,
    style=None,
) -> Picture:
    """Draw what each cell of each level answers, one panel a level, upon the photograph that it looked at.

    ``what``: "objectness" (largest class probability; over ``classes`` alone, if given), or "score" (probability) or
    "logit" with one row of panels for each of ``classes``, ids or names; without ``classes`` the largest. ``scale``:
    one "shared" by all panels, or one a "panel"; ``limits`` fixes its ends, and what lies beyond shows as an arrow.
    ``cells`` outlines the cells that made the detections. Cells over letterbox padding lie outside the panels.
    Returns a Figure; raises SelectionError for an unknown level or class, ValueError for any other unknown choice.
    """
    _check(scale, limits)
    chosen = select_levels(trace.levels, level)
    rows = readings(trace, classes, what)
    values = [[row.heat[index] for index in chosen] for row in rows]
    every = [heat for line in values for heat in line]
    least = {"floor": FLOOR} if what == "logit" else {"low": 0.0}
    shape = trace.image.shape[:2]
    with styled(style):
        figure, axes = panels(len(rows), len(chosen), shape, width or (SINGLE if len(chosen) == 1 else DOUBLE))
        shared = heat_scale(every, limits, **least)
        for row, line, heats in zip(rows, axes, values, strict=True):
            line[0].set_ylabel(row.name)
            for index, ax, heat in zip(chosen, line, heats, strict=True):
                norm = shared if scale == "shared" else heat_scale([heat], limits, **least)
                photograph(ax, trace.image, grey=True)
                drawn = draw_heat(ax, trace, index, heat, norm, cmap)
                if scale == "panel":
                    colour_scale(figure, drawn, ax, [heat], f"{row.meaning.partition(' (')[0]},\nown scale")
        for index, ax in zip(chosen, axes[0], strict=True):
            ax.set_title("{}: {} × {} cells".format(trace.levels[index].name, *trace.shapes[index]))
        if scale == "shared":
            label = rows[0].meaning + (", one scale for all panels" if axes.size > 1 else "")
            colour_scale(figure, drawn, axes, every, label)
        foot(figure, _legend(trace, rows, chosen, every, cells), stretch_note(shape[1], shape[0]))
        fit(figure, len(rows))
        if cells:
            _mark(trace, rows, chosen, axes)
    return figure


def _check(scale, limits) -> None:
    if scale not in ("shared", "panel"):
        raise ValueError(f"scale must be 'shared' or 'panel', but {scale!r} was given.")
    if limits is not None and not (len(limits) == 2 and limits[0] < limits[1]):
        raise ValueError(f"limits must be (low, high) with low below high, but {limits!r} was given.")


def _legend(trace: Trace, rows, chosen, heats, cells: bool) -> list:
    marked = trace.detections.level[np.concatenate([row.found for row in rows])] if cells else ()
    ring = {"marker": "s", "markerfacecolor": "none", "markersize": 5, "linestyle": "none"}
    handles = [
        Line2D([], [], color=level_color(name), label=f"cell of a {name} detection", **ring)
        for name in (trace.levels[index].name for index in chosen if index in marked)
    ]
    missing = sum(int(np.isnan(heat).sum()) for heat in heats)
    if missing:
        words = f"not a number: {missing} cells"
        handles.append(Patch(facecolor=MISSING, edgecolor="black", hatch=MISSING_HATCH, label=words))
    return handles


def _mark(trace: Trace, rows, chosen, axes) -> None:
    """Outline the cells that made detections, each in the panel of its level."""
    found = trace.detections
    for row, line in zip(rows, axes, strict=True):
        for index, ax in zip(chosen, line, strict=True):
            here = row.found[found.level[row.found] == index]
            boxes = cell_boxes(trace, found.level[here], found.row[here], found.col[here])
            cell_marks(ax, boxes, trace.levels[index].name)
