"""Small labels on a photograph that do not cover one another where that can be avoided."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation

from .palette import ink

GAP = 2.0  # px of the display between a label and what it belongs to
COVERING = 3.0  # cost of covering an obstacle wholly, in heights of a label
SMALLEST = 8.0  # points: obstacles count as at least so large, since small cells wear a ring


@dataclass(frozen=True)
class Label:
    """Text for one box: ``box`` xyxy px of the original, ``color`` its ground."""

    text: str
    box: np.ndarray
    color: str


def write_labels(ax: Axes, labels: Sequence[Label], avoid: np.ndarray) -> int:
    """Write labels beside their boxes, first come first served, with a line where one had to go farther off.

    ``avoid`` (m, 4) xyxy px, and small boxes, are covered only in need. The layout must be final. Returns how many
    found no room.
    """
    if not len(labels):
        return 0
    notes = [_note(ax, label) for label in labels]
    size = np.array([note.get_window_extent().size for note in notes]) + 2 * _padding(ax)
    frame = np.asarray(ax.get_window_extent().extents)
    boxes = _display(ax, np.array([label.box for label in labels]))
    scale = 72 / ax.figure.dpi
    spots = place(size, boxes, frame, np.concatenate((_grown(_display(ax, avoid), SMALLEST / scale), boxes)))
    for note, label, box, extent, spot in zip(notes, labels, boxes, size, spots, strict=True):
        if spot is None:
            note.remove()
            continue
        corner = np.array([box[0], box[3]])
        x, y = (spot + _padding(ax) - corner) * scale
        note.set_position((float(x), float(y)))
        _leader(ax, label, box, np.concatenate((spot, spot + extent)))
    return sum(spot is None for spot in spots)


def place(size: np.ndarray, boxes: np.ndarray, frame: np.ndarray, avoid: np.ndarray) -> list[np.ndarray | None]:
    """Lower left corners of n labels, each near its box, none over another; None where no room is left.

    ``size`` (n, 2) width and height, ``boxes`` (n, 4), ``frame`` (4,): x1 y1 x2 y2, y upwards, one unit throughout;
    of ``avoid`` (m, 4) each costs by the share of it that is covered.
    """
    placed = np.empty((0, 4))
    spots: list[np.ndarray | None] = []
    area = (avoid[:, 2:] - avoid[:, :2]).prod(1).clip(1e-9)
    for extent, box in zip(size, boxes, strict=True):
        corner = _candidates(extent, box, frame)
        extents = np.concatenate((corner, corner + extent), 1)
        inside = (extents[:, :2] >= frame[:2] - 0.5).all(1) & (extents[:, 2:] <= frame[2:] + 0.5).all(1)
        free = np.flatnonzero(inside & (_overlap(extents, placed).sum(1) == 0))
        if not len(free):
            spots.append(None)
            continue
        covered = (_overlap(extents[free], avoid) / area).sum(1)
        cost = (
            (_distance(extents[free], box) - GAP - 0.5).clip(0) / extent[1]
            + COVERING * covered
            + 0.02 * free.clip(0, 8)
        )
        best = int(free[cost.argmin()])
        placed = np.concatenate((placed, extents[best : best + 1]))
        spots.append(corner[best])
    return spots


def _candidates(extent: np.ndarray, box: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Corners to try: around and inside the box, and then everywhere in the frame."""
    width, height = extent
    x1, y1, x2, y2 = box
    near = [
        (x1, y2 + GAP),
        (x2 - width, y2 + GAP),
        (x1, y1 - height - GAP),
        (x2 - width, y1 - height - GAP),
        (x2 + GAP, y2 - height),
        (x1 - width - GAP, y2 - height),
        (x1 + GAP, y2 - height - GAP),
        (x1 + GAP, y1 + GAP),
        (x2 - width - GAP, y2 - height - GAP),
        (x2 - width - GAP, y1 + GAP),
    ]
    near = np.clip(near, frame[:2], np.maximum(frame[2:] - extent, frame[:2]))  # slid along the border, if need be
    columns = np.arange(frame[0], frame[2] - width, max(width / 2, 1))
    rows = np.arange(frame[1], frame[3] - height, max(height / 2, 1))
    everywhere = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2)
    return np.concatenate((near, everywhere))


def _overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Areas that boxes (n, 4) and (m, 4) share, (n, m)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    return (high - low).clip(0).prod(2)


def _distance(extents: np.ndarray, box: np.ndarray) -> np.ndarray:
    """How far boxes (n, 4) lie from one box, 0 where they touch."""
    away = np.maximum(box[:2] - extents[:, 2:], extents[:, :2] - box[2:]).clip(0)
    return np.hypot(*away.T)


def _note(ax: Axes, label: Label) -> Annotation:
    note = ax.annotate(
        label.text,
        (label.box[0], label.box[1]),
        xytext=(0, 0),
        textcoords="offset points",
        fontsize="small",
        linespacing=1.1,
        color=ink(label.color),
        ha="left",
        va="bottom",
        bbox={
            "boxstyle": "square,pad=0.15",
            "facecolor": label.color,
            "edgecolor": "white",
            "linewidth": 0.4,
            "alpha": 0.9,
        },
        annotation_clip=False,
        zorder=6,
    )
    note.set_in_layout(False)
    note.set_gid("label")
    return note


def _padding(ax: Axes) -> float:
    """Px of the display between a label's text and the edge of its ground."""
    return 1.0 * ax.figure.dpi / 72


def _leader(ax: Axes, label: Label, box: np.ndarray, extent: np.ndarray) -> None:
    """A line from a label to its box, where the two do not touch."""
    start = (extent[:2] + extent[2:]) / 2
    end = start.clip(box[:2], box[2:])
    start = end.clip(extent[:2], extent[2:])
    if np.hypot(*(end - start)) > 3 * GAP:
        points = ax.transData.inverted().transform([start, end])
        halo = [withStroke(linewidth=1.8, foreground="white")]
        line = {"color": label.color, "linewidth": 0.9, "zorder": 5, "path_effects": halo}
        ax.plot(*points.T, scalex=False, scaley=False, gid="leader", **line)


def _grown(boxes: np.ndarray, least: float) -> np.ndarray:
    """Boxes (n, 4) at least so wide and tall, about their centres."""
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, ((boxes[:, 2:] - boxes[:, :2]) / 2).clip(least / 2)
    return np.concatenate((middle - half, middle + half), 1)


def _display(ax: Axes, boxes: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) xyxy in data coordinates to x1 y1 x2 y2 in px of the display, y upwards."""
    points = ax.transData.transform(np.asarray(boxes, dtype=np.float64).reshape(-1, 2)).reshape(-1, 4)
    return np.concatenate((np.minimum(points[:, :2], points[:, 2:]), np.maximum(points[:, :2], points[:, 2:])), 1)
