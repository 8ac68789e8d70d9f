"""Two traces of one image side by side, before and after an edit, with every change marked."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch
from matplotlib.patheffects import withStroke

import anatomy
from anatomy import Comparison, Trace
from anatomy.tracing.compare import TOLD_FIRST
from anatomy.tracing.matching import check_one_image, check_traces

from ..canvas.cut import cut_handles, draw_cut
from ..canvas.frame import cell_boxes
from ..canvas.labels import Label, write_labels
from ..canvas.layout import fit, panels
from ..canvas.legend import foot, retitle
from ..canvas.palette import level_color
from ..canvas.photo import cell_marks, photograph, stretch_note
from ..canvas.style import DOUBLE, Picture, Style, styled
from .detections import draw_boxes, level_handles

LOOKS = {  # status -> line width, line style, words for the legend: of one model, and of two where they differ
    "same": (0.8, "-", "unchanged"),
    "class": (1.6, "-", "class changed, joined by a line"),
    "confidence": (1.2, (0, (8, 1.5)), "confidence changed"),
    "level": (1.6, "-", "found on another level"),
    "surer": (1.0, "-", "surer on the right"),
    "less sure": (1.2, (0, (8, 1.5)), "less sure on the right"),
    "gone": (1.2, (0, (1, 1.2)), "gone"),
    "new": (1.2, (0, (3, 1.5)), "new"),
}
WORDS_OF_TWO = {"class": "class differs", "gone": "found on the left alone", "new": "found on the right alone"}
TITLES = {"anchor": ("before", "after"), "iou": ("first model", "second model")}


def compare(
    before: Trace,
    after: Trace,
    *,
    by: str | None = None,
    iou: float = 0.5,
    titles: tuple[str, str] | None = None,
    label: bool = True,
    most: int = 30,
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw two traces of one image side by side, matched as in ``anatomy.compare`` with ``by`` and ``iou``.

    Boxes have the colour of their level; the line and the label tell what changed. Of one model: class (with the shift
    in class ids), confidence, gone, or new, and of a new one which detection had suppressed it before. Of two models:
    what one of them finds alone, another class or level, surer or less sure. A side that the ceiling of its level cuts
    is thick and dotted. Numbers are the same on both sides; at
    most ``most`` labels a side, changes first. Returns a Figure; raises ValueError for traces of different images.

    >>> figure = viz.compare(trace, trace.replay())
    """
    check_traces(before, after)
    if titles is not None and len(titles) != 2:
        raise ValueError(f"titles are two, one a side, but {titles!r} was given.")
    check_one_image(before, after)
    joined = anatomy.compare(before, after, by=by, iou=iou)
    shape = before.image.shape[:2]
    with styled(style):
        figure, axes = panels(1, 2, shape, width or DOUBLE)
        left, right = axes[0]
        for ax, trace, title in zip((left, right), (before, after), titles or TITLES[joined.matched_by], strict=True):
            photograph(ax, trace.image)
            ax.set_title(f"{title}: {len(trace.detections)} detections")
        notes = [*stretch_note(shape[1], shape[0]), *_summary(before, joined)]
        legend = foot(figure, _legend(before, after, joined), notes)
        fit(figure)
        for ax, trace, rows in ((left, before, joined.before), (right, after, joined.after)):
            _draw_side(ax, trace, rows, joined.status)
            draw_cut(ax, trace)
        if joined.matched_by == "anchor":
            _join(figure, left, right, before, after, joined)
        if label:
            order = _told_first(joined.before, joined)
            told = [_label(before, joined.before[row], _text_before(before, joined, row)) for row in order[:most]]
            left_out = _write(left, before, told) + len(order[most:])
            order = _told_first(joined.after, joined)
            told = [_label(after, joined.after[row], _text_after(before, after, joined, row)) for row in order[:most]]
            left_out += _write(right, after, told) + len(order[most:])
            if left_out:
                retitle(figure, legend, [*notes, f"Labels: changes first, {left_out} left out."])
                fit(figure)
    return figure


def _told_first(rows: np.ndarray, joined: Comparison) -> list[int]:
    """The rows of a comparison that one side has, changes first."""
    return sorted(np.flatnonzero(rows >= 0).tolist(), key=lambda row: TOLD_FIRST.index(joined.status[row]))


def _write(ax: Axes, trace: Trace, labels: list[Label]) -> int:
    """Write the labels of one side around its cells; returns how many found no room."""
    found = trace.detections
    return write_labels(ax, labels, cell_boxes(trace, found.level, found.row, found.col))


def _draw_side(ax: Axes, trace: Trace, rows: np.ndarray, status: Sequence[str]) -> None:
    """The boxes of one side, one look for each status, and their cells."""
    for name, (width, line, _) in LOOKS.items():
        here = (rows >= 0) & np.array([one == name for one in status], dtype=bool)
        draw_boxes(ax, trace, rows[here], width=width, style=line, gid=name)
    found = trace.detections
    boxes = cell_boxes(trace, found.level, found.row, found.col)
    for level in trace.levels:
        cell_marks(ax, boxes[found.level == level.index], level.name)


def _join(figure: Picture, left: Axes, right: Axes, before: Trace, after: Trace, joined: Comparison) -> None:
    """A line from cell to cell for every detection whose class changed.

    Each axes draws its own part of it, below its labels, and the figure what lies between the two.
    """
    for i, j, status in zip(joined.before, joined.after, joined.status, strict=True):
        if status == "class":
            start, end = before.detections.center[i].tolist(), after.detections.center[j].tolist()
            color = level_color(before.detections.level_name[i])
            for parent, order in ((figure, -1), (left, 2.5), (right, 2.5)):
                line = ConnectionPatch(start, end, "data", "data", axesA=left, axesB=right, color=color, linewidth=0.9)
                line.set(in_layout=False, zorder=order, gid="join")
                line.set_path_effects([withStroke(linewidth=1.7, foreground=(1, 1, 1, 0.7))])
                parent.add_artist(line)
                if parent is not figure:
                    line.set_clip_box(parent.bbox)


def _text_before(before: Trace, joined: Comparison, row: int) -> str:
    found, i = before.detections, joined.before[row]
    told = "gone" if joined.matched_by == "anchor" else "here alone"
    return f"{row}  {found.class_name[i]} {found.confidence[i]:.2f}" + f"\n{told}" * bool(joined.after[row] < 0)


def _text_after(before: Trace, after: Trace, joined: Comparison, row: int) -> str:
    found, j, i = after.detections, joined.after[row], joined.before[row]
    status, name, was = joined.status[row], found.class_name[j], joined.confidence[row, 0]
    now = f"{name} {found.confidence[j]:.2f}"
    if status == "class":
        moved = f"(+{joined.class_shift[row]})" if joined.matched_by == "anchor" else f"{was:.2f} →"
        return f"{row}  {before.detections.class_name[i]} → {name}\n{moved} {found.confidence[j]:.2f}"
    if status == "level":
        levels = f"{joined.levels[row]} → {joined.levels_after[row]}"
        return f"{row}  {name} {levels}\n{was:.2f} → {found.confidence[j]:.2f}"
    if status in ("confidence", "surer", "less sure"):
        return f"{row}  {name}\n{was:.2f} → {found.confidence[j]:.2f}"
    if status == "new":
        freed = joined.freed_from[row]
        told = "new" if joined.matched_by == "anchor" else "here alone"
        return f"{row}  {now}\n{told}" + (f", freed from {freed}" if freed >= 0 else "")
    return f"{row}  {now}"


def _label(trace: Trace, index: int, text: str) -> Label:
    found = trace.detections
    return Label(text, found.xyxy[index], level_color(found.level_name[index]))


def _summary(before: Trace, joined: Comparison) -> list[str]:
    """One sentence on how detections were matched, or on each kind of change within one model."""
    if joined.matched_by == "iou":
        return [f"Not joined by anchor: boxes of IoU at least {joined.threshold:g} matched, those of one class first."]
    moved = Counter(
        (before.detections.level_name[i], int(shift))
        for i, shift, status in zip(joined.before, joined.class_shift, joined.status, strict=True)
        if status == "class"
    )
    shifts = ", ".join(f"{level} +{shift} ({count})" for (level, shift), count in sorted(moved.items())[:8])
    freed = int((joined.freed_from >= 0).sum())
    told = []
    if moved:
        told.append(f"Class ids moved: {shifts}{' …' if len(moved) > 8 else ''}.")
    if freed:
        new = joined.status.count("new")
        told.append(f"{freed} of {new} new boxes had been suppressed by a detection on the left.")
    return told


def _legend(before: Trace, after: Trace, joined: Comparison) -> list[Artist]:
    """The levels of either trace with their detections on the left and on the right, and what became of how many."""
    counts = [Counter(trace.detections.level_name) for trace in (before, after)]
    by_name = {level.name: level for level in (*before.levels, *after.levels)}
    levels = sorted(by_name.values(), key=lambda level: level.stride)
    told = [f"{counts[0][level.name]} → {counts[1][level.name]}" for level in levels]
    tally = Counter(joined.status)
    words = {} if joined.matched_by == "anchor" else WORDS_OF_TWO
    lines = [
        Line2D([], [], color="0.35", linewidth=width, linestyle=line, label=f"{words.get(name, said)}: {tally[name]}")
        for name, (width, line, said) in LOOKS.items()
        if tally[name]
    ]
    cut = cut_handles(*(int(trace.cut.sum()) for trace in (before, after)))
    return [*level_handles(levels, told), *lines, *cut]
