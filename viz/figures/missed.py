"""Objects found and missed on the photograph, and the candidates that came nearest to finding the missed ones."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

import diagnosis
from anatomy import Trace
from diagnosis import STAGES, Candidate, Missed

from ..canvas.frame import cell_boxes, corners
from ..canvas.given import of_objects
from ..canvas.labels import Label, write_labels
from ..canvas.layout import fit, panels
from ..canvas.legend import foot, retitle, ring
from ..canvas.palette import level_color
from ..canvas.photo import cell_marks, outline, photograph, stretch_note
from ..canvas.style import DOUBLE, SINGLE, Picture, Style, styled

FOUND, LOST = "#FFFFFF", "#E8112D"  # neither is the colour of a level
DASHES, DOTS = (0, (3, 1.5)), (0, (0.6, 1.2))
FAR = 0.2  # IoU: candidates of other levels that overlap less are not drawn


def missed(
    result: Missed | Trace,
    boxes: Any = None,
    labels: Any = None,
    *,
    label: bool = True,
    cells: bool = True,
    most: int = 20,
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw the objects that were found thin, those that were missed bold, and why; dotted, those found and cut.

    ``result``: what ``diagnosis.missed`` returned; or a trace, with ``boxes`` and ``labels`` as that function takes
    them, such as a YOLO ``.txt``, a data YAML or a COCO JSON in place of both.

    Cut is an object of which a side lies beyond the ceiling of the level that found it.

    Of every missed object the best candidate of each level is dashed in the level's colour, drawn through where it is
    the one that came nearest, with its cell and the reason in words. At most ``most`` labels, large objects first.
    Returns a Figure.

    >>> figure = viz.missed(trace, labels)
    """
    result = of_objects(result, boxes, labels, Missed, diagnosis.missed, "viz.missed")
    trace = result.trace
    shape = trace.image.shape[:2]
    with styled(style):
        figure, axes = panels(1, 1, shape, width or (DOUBLE if shape[1] >= shape[0] else SINGLE))
        ax = axes[0, 0]
        photograph(ax, trace.image, grey=True)
        ax.set_title(_summary(result))
        notes = stretch_note(shape[1], shape[0])
        legend = foot(figure, _legend(result, cells), notes)
        fit(figure)
        outline(ax, corners(result.boxes[result.found >= 0]), FOUND, width=0.7, gid="found", halo=False)
        outline(ax, corners(result.boxes[_found_cut(result)]), FOUND, width=1.6, style=DOTS, gid="cut", halo=False)
        outline(ax, corners(result.boxes[result.objects]), LOST, width=2.2, gid="missed")
        for level in trace.levels:
            _draw_candidates(ax, result, level.index)
        decisive = [result.candidates[i][result.best[i]] for i in result.objects]
        marked = _cells(trace, decisive)
        if cells:
            for level in trace.levels:
                here = np.array([candidate.level == level.index for candidate in decisive], dtype=bool)
                cell_marks(ax, marked[here], level.name)
        if label:
            area = (result.boxes[:, 2:] - result.boxes[:, :2]).prod(1)
            order = sorted(result.objects.tolist(), key=lambda i: -area[i])
            left_out = write_labels(ax, [_label(result, i) for i in order[:most]], marked) + len(order[most:])
            if left_out:
                retitle(figure, legend, [*notes, f"Labels: {left_out} of {len(order)} left out."])
                fit(figure)
    return figure


def _found_cut(result: Missed) -> np.ndarray:
    """(n,) bool: found, but cut by the ceiling of the level that found it."""
    return (result.found >= 0) & result.cut


def _cells(trace: Trace, candidates: Iterable[Candidate]) -> np.ndarray:
    places = np.array([(one.level, one.row, one.col) for one in candidates], dtype=np.int64).reshape(-1, 3)
    return cell_boxes(trace, *places.T)


def _draw_candidates(ax: Axes, result: Missed, level: int) -> None:
    """One level's candidates: drawn through where they came nearest of all levels, otherwise dashed if they overlap."""
    name = result.trace.levels[level].name
    rows = [(result.candidates[i][level], result.best[i] == level) for i in result.objects]
    color = level_color(name)
    near = [candidate.xyxy for candidate, best in rows if not best and candidate.iou >= FAR]
    outline(ax, corners(near), color, width=0.8, style=DASHES, gid=f"candidate:{name}:False")
    nearest = [candidate.xyxy for candidate, best in rows if best]
    outline(ax, corners(nearest), color, width=1.2, gid=f"candidate:{name}:True")


def _label(result: Missed, i: int) -> Label:
    name = result.trace.names[int(result.labels[i])]
    best = result.candidates[i][result.best[i]]
    color = level_color(result.trace.levels[best.level].name)
    return Label(f"{i} {name}\n{_wrapped(result.reason(i))}", result.boxes[i], color)


def _wrapped(text: str, most: int = 30) -> str:
    """The reason in lines of about so many letters."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= most:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return "\n".join(lines)


def _summary(result: Missed) -> str:
    tally = Counter(result.stage(i) for i in result.objects.tolist())
    parts = [f"{STAGES[stage]}: {tally[stage]}" for stage in STAGES if tally[stage]]
    head = f"{len(result.objects)} of {len(result)} objects missed"
    return f"{head} ({'; '.join(parts)})" if parts else head


def _legend(result: Missed, cells: bool) -> list[Artist]:
    trace = result.trace
    handles: list[Artist] = [
        Line2D([], [], color=LOST, linewidth=2.0, label=f"missed: {len(result.objects)}"),
        Line2D([], [], color="0.55", linewidth=0.8, label=f"found: {int((result.found >= 0).sum())} (white)"),
    ]
    if _found_cut(result).any():
        words = f"found, cut by its level's ceiling: {int(_found_cut(result).sum())} (white)"
        handles.append(Line2D([], [], color="0.55", linewidth=1.6, linestyle=DOTS, label=words))
    if len(result.objects):
        handles += [
            Line2D([], [], color=level_color(level.name), linewidth=1.2, label=f"best candidate on {level.name}")
            for level in trace.levels
        ]
        handles.append(
            Line2D([], [], color="0.4", linewidth=0.8, linestyle=DASHES, label=f"came less near, IoU ≥ {FAR:g}")
        )
        if cells:
            handles.append(ring("the cell that came nearest", "0.4", size=4))
    return handles
