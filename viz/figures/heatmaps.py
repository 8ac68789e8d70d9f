"""How sure each cell of each level is, drawn upon the photograph cell by cell."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
from matplotlib.artist import Artist
from matplotlib.patches import Patch

from anatomy import Trace, select_levels

from ..canvas.arguments import ClassChoice, LevelChoice
from ..canvas.cell_values import Reading, readings
from ..canvas.frame import cell_boxes
from ..canvas.given import several
from ..canvas.heat import MISSING_HATCH, colour_scale, draw_heat, heat_scale
from ..canvas.layout import fit, panels
from ..canvas.legend import foot, ring
from ..canvas.palette import MISSING, level_color
from ..canvas.photo import cell_marks, photograph, stretch_note
from ..canvas.style import DOUBLE, SINGLE, Picture, Style, styled

FLOOR = -15.0  # logits below it, probabilities under 3e-7, are drawn alike


def heatmaps(
    trace: Trace | Sequence[Trace],
    classes: ClassChoice | None = None,
    what: str = "objectness",
    *,
    titles: Sequence[str] | None = None,
    level: LevelChoice = "all",
    scale: str = "shared",
    limits: tuple[float, float] | None = None,
    cells: bool = True,
    cmap: str = "magma",
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw what each cell of each level answers, one panel a level, upon the photograph that it looked at.

    ``trace``: one, or several to set one below the other, with ``titles`` to tell them apart: two detectors on one
    image, say. ``what``: "objectness" (largest class probability; over ``classes`` alone, if given), or "score"
    (probability) or "logit" with one row of panels for each of ``classes``, ids or names; without ``classes`` the
    largest. ``scale``: one "shared" by all panels, or one a "panel"; ``limits`` fixes its ends, and what lies beyond
    shows as an arrow. ``cells`` outlines the cells that made the detections. Cells over letterbox padding lie outside
    the panels. Returns a Figure; raises SelectionError for an unknown level or class, ValueError for any other unknown
    choice and for traces that do not go together.

    >>> figure = viz.heatmaps(trace, level="P4")
    """
    _check(scale, limits)
    traces = several(trace, Trace, "viz.heatmaps", "a Trace or several", "anatomy.trace(model, 'photo.jpg')")
    classes = tuple(classes) if isinstance(classes, Iterator) else classes  # each trace reads them anew
    _check_traces(traces, titles)
    levels = traces[0].levels
    chosen = select_levels(levels, level)
    names = [""] * len(traces) if titles is None else titles
    rows: list[tuple[Trace, Reading]] = []
    for one, name in zip(traces, names, strict=True):
        rows += _rows(one, name, classes, what)
    values = [_of_levels(row, chosen) for _, row in rows]
    every = list(chain.from_iterable(values))
    least = {"floor": FLOOR} if what == "logit" else {"low": 0.0}
    shape = max((one.image.shape[:2] for one in traces), key=lambda size: size[0] / size[1])
    with styled(style):
        figure, axes = panels(len(rows), len(chosen), shape, width or (SINGLE if len(chosen) == 1 else DOUBLE))
        shared = heat_scale(every, limits, **least)
        for (one, row), line, heats in zip(rows, axes, values, strict=True):
            line[0].set_ylabel(row.name)
            for index, ax, heat in zip(chosen, line, heats, strict=True):
                norm = shared if scale == "shared" else heat_scale([heat], limits, **least)
                photograph(ax, one.image, grey=True)
                drawn = draw_heat(ax, one, index, heat, norm, cmap)
                if scale == "panel":
                    colour_scale(figure, drawn, ax, [heat], f"{row.meaning.partition(' (')[0]},\nown scale")
        for number, ((one, _), line) in enumerate(zip(rows, axes, strict=True)):
            if number == 0 or one.shapes != traces[0].shapes:
                for index, ax in zip(chosen, line, strict=True):
                    ax.set_title("{}: {} × {} cells".format(levels[index].name, *one.shapes[index]))
        if scale == "shared":
            label = rows[0][1].meaning + (", one scale for all panels" if axes.size > 1 else "")
            colour_scale(figure, drawn, axes, every, label)
        foot(figure, _legend(rows, chosen, every, cells), stretch_note(shape[1], shape[0]))
        fit(figure, len(rows))
        if cells:
            _mark(rows, chosen, axes)
    return figure


def _check(scale: str, limits: tuple[float, float] | None) -> None:
    if scale not in ("shared", "panel"):
        raise ValueError(f"scale must be 'shared' or 'panel', but {scale!r} was given.")
    if limits is not None and not (np.shape(limits) == (2,) and limits[0] < limits[1]):
        raise ValueError(f"limits must be (low, high) with low below high, but {limits!r} was given.")


def _check_traces(traces: list[Trace], titles: Sequence[str] | None) -> None:
    if not traces or any(not isinstance(one, Trace) for one in traces):
        raise ValueError("A trace, or several in a sequence, are needed.")
    levels = [_level_names(one) for one in traces]
    if any(names != levels[0] for names in levels):
        raise ValueError(f"Traces below one another must have the same levels, but have {levels}. Draw each by itself.")
    if titles is not None and (isinstance(titles, str) or len(titles) != len(traces)):
        raise ValueError(f"titles must be one for each of {len(traces)} traces, but {titles!r} was given.")


def _level_names(trace: Trace) -> list[str]:
    return [level.name for level in trace.levels]


def _rows(trace: Trace, title: str, classes: ClassChoice | None, what: str) -> list[tuple[Trace, Reading]]:
    """One row of panels for each reading of a trace, named by its title and its class."""
    found = readings(trace, classes, what)
    return [(trace, replace(row, name="\n".join(filter(None, (title, row.name))))) for row in found]


def _of_levels(row: Reading, chosen: Sequence[int]) -> list[np.ndarray]:
    return [row.heat[index] for index in chosen]


def _legend(
    rows: Sequence[tuple[Trace, Reading]], chosen: Sequence[int], heats: Sequence[np.ndarray], cells: bool
) -> list[Artist]:
    marked: set[int] = set()
    for trace, row in rows if cells else ():
        marked.update(trace.detections.level[row.found].tolist())
    levels = rows[0][0].levels
    names = [levels[index].name for index in chosen if index in marked]
    handles: list[Artist] = [ring(f"cell of a {name} detection", level_color(name)) for name in names]
    missing = sum(int(np.isnan(heat).sum()) for heat in heats)
    if missing:
        words = f"not a number: {missing} cells"
        handles.append(Patch(facecolor=MISSING, edgecolor="black", hatch=MISSING_HATCH, label=words))
    return handles


def _mark(rows: Sequence[tuple[Trace, Reading]], chosen: Sequence[int], axes: np.ndarray) -> None:
    """Outline the cells that made detections, each in the panel of its level."""
    for (trace, row), line in zip(rows, axes, strict=True):
        found = trace.detections
        for index, ax in zip(chosen, line, strict=True):
            here = row.found[found.level[row.found] == index]
            boxes = cell_boxes(trace, found.level[here], found.row[here], found.col[here])
            cell_marks(ax, boxes, trace.levels[index].name)
