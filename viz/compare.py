"""Two traces of one image side by side, before and after an edit, with every change marked."""

from collections import Counter

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch
from matplotlib.patheffects import withStroke

import anatomy
from anatomy import Comparison, Trace

from .detections import draw_boxes, level_handles
from .frame import cell_boxes
from .labels import Label, write_labels
from .palette import level_color
from .photo import cell_marks, fit, foot, panels, photograph, stretch_note
from .style import DOUBLE, Picture, styled

LOOKS = {  # status -> line width, line style, words for the legend
    "same": (0.8, "-", "unchanged"),
    "class": (1.6, "-", "class changed, joined by a line"),
    "confidence": (1.2, (0, (8, 1.5)), "confidence changed"),
    "gone": (1.2, (0, (1, 1.2)), "gone"),
    "new": (1.2, (0, (3, 1.5)), "new"),
}
TOLD_FIRST = ("class", "new", "gone", "confidence", "same")


def compare(
    before: Trace,
    after: Trace,
    *,
    titles: tuple[str, str] = ("before", "after"),
    label: bool = True,
    most: int = 30,
    width: float | None = None,
    style=None,
) -> Picture:
    """Draw two traces of one image side by side, joined by the cell that made each detection.

    Boxes have the colour of their level; the line and the label tell what changed: class (with the shift in class
    ids), confidence, gone, or new, and of a new one which detection had suppressed it before. Numbers are the same on
    both sides; at most ``most`` labels a side, changes first. Returns a Figure; raises ValueError for traces of
    different images or input sizes.
    """
    if before.image.shape == after.image.shape and not np.array_equal(before.image, after.image):
        raise ValueError(
            "Two traces can be compared only on the same image, but these two images differ in their pixels: "
            f"{before.path!r} and {after.path!r}. Trace one image twice, or use trace.replay()."
        )
    joined = anatomy.compare(before, after)
    shape = before.image.shape[:2]
    with styled(style):
        figure, axes = panels(1, 2, shape, width or DOUBLE)
        left, right = axes[0]
        for ax, trace, title in zip((left, right), (before, after), titles, strict=True):
            photograph(ax, trace.image)
            ax.set_title(f"{title}: {len(trace.detections)} detections")
        notes = [*stretch_note(shape[1], shape[0]), *_summary(before, joined)]
        legend = foot(figure, _legend(before, after, joined), notes)
        fit(figure)
        for ax, trace, rows in ((left, before, joined.before), (right, after, joined.after)):
            _draw_side(ax, trace, rows, joined.status)
        _join(figure, left, right, before, after, joined)
        if label:
            left_out = 0
            for ax, trace, rows, text in (
                (left, before, joined.before, _text_before),
                (right, after, joined.after, _text_after),
            ):
                order = sorted(np.flatnonzero(rows >= 0), key=lambda row: TOLD_FIRST.index(joined.status[row]))
                told = [_label(trace, rows[row], text(before, after, joined, row)) for row in order[:most]]
                found = trace.detections
                left_out += write_labels(ax, told, cell_boxes(trace, found.level, found.row, found.col))
                left_out += len(order) - len(told)
            if left_out:
                legend.set_title("\n".join([*notes, f"Labels: changes first, {left_out} left out."]))
                fit(figure)
    return figure


def _draw_side(ax, trace: Trace, rows: np.ndarray, status) -> None:
    """The boxes of one side, one look for each status, and their cells."""
    for name, (width, line, _) in LOOKS.items():
        chosen = np.array([rows[i] for i in range(len(rows)) if rows[i] >= 0 and status[i] == name], dtype=np.int64)
        draw_boxes(ax, trace, chosen, width=width, style=line, gid=name)
    found = trace.detections
    boxes = cell_boxes(trace, found.level, found.row, found.col)
    for level in trace.levels:
        cell_marks(ax, boxes[found.level == level.index], level.name)


def _join(figure, left, right, before: Trace, after: Trace, joined: Comparison) -> None:
    """A line from cell to cell for every detection whose class changed.

    Each axes draws its own part of it, below its labels, and the figure what lies between the two.
    """
    for i, j, status in zip(joined.before, joined.after, joined.status, strict=True):
        if status == "class":
            ends = before.detections.center[i], after.detections.center[j]
            color = level_color(before.detections.level_name[i])
            for parent, order in ((figure, -1), (left, 2.5), (right, 2.5)):
                line = ConnectionPatch(*ends, "data", "data", axesA=left, axesB=right, color=color, linewidth=0.9)
                line.set(in_layout=False, zorder=order, gid="join")
                line.set_path_effects([withStroke(linewidth=1.7, foreground=(1, 1, 1, 0.7))])
                parent.add_artist(line)
                if parent is not figure:
                    line.set_clip_box(parent.bbox)


def _text_before(before: Trace, after: Trace, joined: Comparison, row: int) -> str:
    found, i = before.detections, joined.before[row]
    return f"{row + 1}  {found.class_name[i]} {found.confidence[i]:.2f}" + ("\ngone" if joined.after[row] < 0 else "")


def _text_after(before: Trace, after: Trace, joined: Comparison, row: int) -> str:
    found, j, i = after.detections, joined.after[row], joined.before[row]
    now = f"{found.class_name[j]} {found.confidence[j]:.2f}"
    if joined.status[row] == "class":
        shift = f"(+{joined.class_shift[row]})"
        return (
            f"{row + 1}  {before.detections.class_name[i]} → {found.class_name[j]}\n{shift} {found.confidence[j]:.2f}"
        )
    if joined.status[row] == "confidence":
        return f"{row + 1}  {found.class_name[j]}\n{before.detections.confidence[i]:.2f} → {found.confidence[j]:.2f}"
    if joined.status[row] == "new":
        freed = joined.freed_from[row]
        return f"{row + 1}  {now}\nnew" + (f", freed from {freed + 1}" if freed >= 0 else "")
    return f"{row + 1}  {now}"


def _label(trace: Trace, index: int, text: str) -> Label:
    found = trace.detections
    return Label(text, found.xyxy[index], level_color(found.level_name[index]))


def _summary(before: Trace, joined: Comparison) -> list[str]:
    """One sentence a kind of change: which level moved by how many classes, and how many boxes came or went."""
    moved = Counter(
        (before.detections.level_name[i], int(shift))
        for i, shift, status in zip(joined.before, joined.class_shift, joined.status, strict=True)
        if status == "class"
    )
    shifts = ", ".join(f"{level} +{shift} ({count})" for (level, shift), count in sorted(moved.items())[:8])
    freed = int((joined.freed_from >= 0).sum())
    return [f"Class ids moved: {shifts}{' …' if len(moved) > 8 else ''}."] * bool(moved) + [
        f"{freed} of {joined.status.count('new')} new boxes had been suppressed by a detection on the left."
    ] * bool(freed)


def _legend(before: Trace, after: Trace, joined: Comparison) -> list:
    counts = [
        f"{(before.detections.level == level.index).sum()} → {(after.detections.level == level.index).sum()}"
        for level in before.levels
    ]
    tally = Counter(joined.status)
    lines = [
        Line2D([], [], color="0.35", linewidth=width, linestyle=line, label=f"{words}: {tally[name]}")
        for name, (width, line, words) in LOOKS.items()
        if tally[name]
    ]
    return level_handles(before, counts) + lines
