"""Which cells of each level training would make answer for each object, cell by cell upon the photograph."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from anatomy import Trace, select_levels
from diagnosis import SPARED, Assignment, assign_trace

from ..canvas.arguments import LevelChoice
from ..canvas.frame import anchor_points, cell_boxes, cell_edges, corners, vertices
from ..canvas.given import of_objects
from ..canvas.labels import Label, write_labels
from ..canvas.layout import fit, panels
from ..canvas.legend import dot, foot, ring
from ..canvas.palette import level_color
from ..canvas.photo import outline, paper_size, photograph, stretch_note
from ..canvas.style import DOUBLE, SINGLE, Picture, Style, styled

# Paul Tol, "Colour schemes", bright and vibrant, https://personal.sron.nl/~pault/; numbers tell objects beyond them
OBJECT_COLORS = ("#EE6677", "#66CCEE", "#CCBB44", "#228833", "#AA3377", "#EE7733", "#4477AA", "#00C9A7", "#FF9DA7")
LEAST, MOST = 0.3, 0.95  # opacity of a cell with target 0 and with target 1
DASHES = (0, (3, 2))
WEAK = "0.15"  # the outline of an object without positives, on white


def assignment(
    assigned: Assignment | Trace,
    boxes: Any = None,
    labels: Any = None,
    *,
    level: LevelChoice = "all",
    strength: str = "target",
    label: bool = True,
    most: int = 30,
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw the positive cells of each object, one panel a level, and all objects in a panel of their own.

    ``assigned``: what ``diagnosis.assign`` returned; or a trace, with ``boxes`` and ``labels`` as that function takes
    them.

    A cell has the colour and number of its object and is the more opaque the larger its ``strength``: "target", what
    its class row is trained towards, or "alignment", both from 0 to 1; the best cell of each object is outlined.
    Objects that get no cell at all are dashed, with the reason. ``level`` as in ``anatomy.select_levels``; one level
    alone has no panel of objects. Returns a Figure; raises SelectionError for an unknown level.

    >>> figure = viz.assignment(trace, labels, level="P3")
    """
    assigned = of_objects(assigned, boxes, labels, Assignment, assign_trace, "viz.assignment")
    if strength not in ("target", "alignment"):
        raise ValueError(f"strength must be 'target' or 'alignment', but {strength!r} was given.")
    trace = assigned.trace
    chosen = select_levels(trace.levels, level)
    shape = trace.image.shape[:2]
    with styled(style):
        figure, axes, spare = _axes(len(chosen), shape, width)
        overview = axes[0] if len(chosen) > 1 else None
        for ax in axes:
            photograph(ax, trace.image, grey=ax is not overview)
        for index, ax in zip(chosen, axes[-len(chosen) :], strict=True):
            _title(ax, assigned, index)
        if overview is not None:
            overview.set_title(f"{len(assigned)} objects: positive cells {' + '.join(_names(trace, chosen))}")
        for ax in spare:
            ax.set_axis_off()
        notes = stretch_note(shape[1], shape[0])
        if len(assigned) > most and label:
            notes.append(f"Labels: the first {most} of {len(assigned)} objects.")
        foot(figure, _legend(assigned, strength), notes)
        fit(figure, -(-(len(axes) + len(spare)) // 2))
        for index, ax in zip(chosen, axes[-len(chosen) :], strict=True):
            _draw_level(ax, assigned, index, getattr(assigned, strength), label=label, most=most)
        if overview is not None:
            _draw_objects(overview, assigned, range(len(assigned)))
            if label:
                told = [_label(assigned, i, chosen) for i in range(min(len(assigned), most))]
                write_labels(overview, told, assigned.boxes)
    return figure


def object_color(index: int) -> str:
    """The colour of an object by its number; numbers tell apart those that share one."""
    return OBJECT_COLORS[index % len(OBJECT_COLORS)]


def _axes(levels: int, shape: tuple[int, int], width: float | None) -> tuple[Picture, list[Axes], list[Axes]]:
    """Figure, the axes in use (objects first, where there are several levels), and those left over."""
    count = levels + (levels > 1)
    cols = 2 if count == 4 else min(count, 3)
    rows = -(-count // cols)
    landscape = shape[1] >= shape[0]
    figure, axes = panels(rows, cols, shape, width or (DOUBLE if count > 1 or landscape else SINGLE))
    flat = list(axes.flat)
    return figure, flat[:count], flat[count:]


def _names(trace: Trace, chosen: Sequence[int]) -> list[str]:
    return [trace.levels[index].name for index in chosen]


def _title(ax: Axes, assigned: Assignment, index: int) -> None:
    entry = assigned.trace.levels[index]
    counts = assigned.counts[:, index]
    ax.set_title(
        f"{entry.name}, stride {entry.stride:g}: {counts.sum()} positive cells, {np.count_nonzero(counts)} objects"
    )
    for spine in ax.spines.values():
        spine.set(color=level_color(entry.name), linewidth=1.6)


def _draw_level(ax: Axes, assigned: Assignment, index: int, strength: np.ndarray, *, label: bool, most: int) -> None:
    """The cells of one level, the anchor points where they can be told apart, and the objects that they answer for."""
    trace = assigned.trace
    here = np.flatnonzero(assigned.level == index)[::-1]  # the best aligned on top
    boxes = cell_boxes(trace, assigned.level[here], assigned.row[here], assigned.col[here])
    opacity = LEAST + (MOST - LEAST) * strength[here].clip(0, 1)
    colors = [to_rgba(object_color(i), alpha) for i, alpha in zip(assigned.object[here].tolist(), opacity, strict=True)]
    cells = PolyCollection(vertices(corners(boxes)), facecolors=colors, edgecolors="none", linewidths=0)
    cells.set_gid(f"positives:{trace.levels[index].name}")
    ax.add_collection(cells, autolim=False)
    _points(ax, assigned, index)
    present = sorted(set(assigned.object[here].tolist()))
    _draw_objects(ax, assigned, [*present, *assigned.without.tolist()], width=0.9)
    best = [int(np.flatnonzero(assigned.object == i)[0]) for i in present]
    best = [k for k in best if assigned.level[k] == index]
    tops = cell_boxes(trace, assigned.level[best], assigned.row[best], assigned.col[best])
    drawn = outline(ax, corners(tops), "black", width=0.8, gid=f"best:{trace.levels[index].name}")
    drawn.set_zorder(4)
    if label:
        marks = [Label(str(i), assigned.boxes[i], object_color(i)) for i in present if i < most]
        write_labels(ax, marks, boxes)


def _points(ax: Axes, assigned: Assignment, index: int) -> None:
    """The level's anchor points, as dots, where cells are large enough on paper."""
    x, _ = cell_edges(assigned.trace, index)
    size = paper_size(ax, x[1] - x[0])
    if size < 3:
        return
    height, width = assigned.trace.image.shape[:2]
    centres = anchor_points(assigned.trace, index)
    centres = centres[(centres > 0).all(1) & (centres < (width, height)).all(1)]
    dots = ax.scatter(*centres.T, s=min(1.6, 0.22 * size) ** 2, c="white", linewidths=0, alpha=0.75)
    dots.set_gid(f"points:{assigned.trace.levels[index].name}")


def _draw_objects(ax: Axes, assigned: Assignment, which: Iterable[int], width: float = 1.3) -> None:
    """The boxes of objects, each in its colour; dashed black on white where training gives it no cell."""
    spared = set(assigned.without.tolist())
    for i in which:
        shape = corners(assigned.boxes[i]) if assigned.corners is None else assigned.corners[i : i + 1]
        if i in spared:
            outline(ax, shape, "white", width=width + 1.2, gid=f"without-ground:{i}", halo=False)
            outline(ax, shape, WEAK, width=width, style=DASHES, gid=f"without:{i}")
        else:
            outline(ax, shape, object_color(i), width=width, gid=f"object:{i}")


def _label(assigned: Assignment, i: int, chosen: Sequence[int]) -> Label:
    """Number and class, then the positives on each level, or why there are none."""
    name = f"{i} {assigned.names()[i]}"
    if assigned.why[i]:
        return Label(f"{name}\nnone: {SPARED[assigned.why[i]]}", assigned.boxes[i], "white")
    counts = " + ".join(str(count) for count in assigned.counts[i, list(chosen)])
    return Label(f"{name}\n{counts}", assigned.boxes[i], object_color(i))


def _legend(assigned: Assignment, strength: str) -> list[Artist]:
    words = {"target": "trained towards", "alignment": "alignment"}[strength]
    handles: list[Artist] = [
        Patch(facecolor=to_rgba("0.25", LEAST + (MOST - LEAST) * value), label=f"{words} {value:g}")
        for value in (0.0, 0.5, 1.0)
    ]
    handles += [ring("best cell of its object", "black"), dot("anchor point", "0.6")]
    if len(assigned.without):
        words = f"without a positive cell: {len(assigned.without)}"
        handles.append(Line2D([], [], color=WEAK, linewidth=1.3, linestyle=DASHES, label=words))
    return handles
