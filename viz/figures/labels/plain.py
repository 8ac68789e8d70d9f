"""The labels of a set on its photographs, each class in a colour of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from diagnosis import ImageLabels

from ...canvas.frame import corners
from ...canvas.labels import Label, write_labels
from ...canvas.layout import fit
from ...canvas.legend import foot, retitle
from ...canvas.photo import outline
from ...canvas.style import Picture
from .gallery import gallery, hang, lines_of, short

COLORS = [to_hex(color) for color in matplotlib.colormaps["tab10"].colors]  # pyright: ignore[reportAttributeAccessIssue]
IN_LEGEND = 12  # classes, the most frequent first


@dataclass(frozen=True)
class Shown:
    """A photograph, (H, W, 3) uint8 RGB, and its labels."""

    pixels: np.ndarray
    labels: ImageLabels

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.pixels.shape[1], self.pixels.shape[0]


def draw_plain(shown: Sequence[Shown], most: int, width: float | None) -> Picture:
    """A panel a photograph; at most ``most`` names on each, large objects first."""
    figure, axes = gallery([one.size for one in shown], width)
    for ax, one in zip(axes, shown, strict=True):
        hang(ax, one.pixels)
        ax.set_title(f"{short(one.labels.image.name)}: {_told(one.labels)}")
    notes: list[str] = []
    legend = foot(figure, _legend(shown), notes)
    fit(figure, lines_of(axes))
    left_out = sum(_draw(ax, one, most) for ax, one in zip(axes, shown, strict=True))
    if left_out:
        retitle(figure, legend, [f"No room for {left_out} names."])
        fit(figure, lines_of(axes))
    return figure


def class_color(class_id: int) -> str:
    """The colour of a class, the same in every panel; ten of them come round."""
    return COLORS[class_id % len(COLORS)]


def _told(labels: ImageLabels) -> str:
    problems = f", {len(labels.problems)} problems" if labels.problems else ""
    return f"{len(labels)} objects{problems}"


def _legend(shown: Sequence[Shown]) -> list[Line2D]:
    names = {}
    ids = np.concatenate([one.labels.class_id for one in shown]) if shown else np.empty(0, np.int64)
    for one in shown:
        names |= dict(zip(one.labels.class_id.tolist(), one.labels.class_names(), strict=True))
    found, counts = np.unique(ids, return_counts=True)
    ranked = found[np.argsort(-counts, kind="stable")].tolist()
    tally = dict(zip(found.tolist(), counts.tolist(), strict=True))
    handles = [
        Line2D([], [], color=class_color(label), linewidth=1.5, label=f"{short(names[label], 24)}: {tally[label]}")
        for label in ranked[:IN_LEGEND]
    ]
    if len(ranked) > IN_LEGEND:
        handles.append(Line2D([], [], linestyle="none", label=f"and {len(ranked) - IN_LEGEND} classes more"))
    return handles


def _draw(ax: Axes, one: Shown, most: int) -> int:
    """Draw the objects of one photograph; returns how many names found no room."""
    labels, size = one.labels, one.size
    boxes = labels.boxes(*size)
    for class_id in np.unique(labels.class_id).tolist():
        mine = labels.class_id == class_id
        boxed = mine & np.array([not segments for segments in labels.segments])
        outline(ax, corners(boxes[boxed]), class_color(class_id), width=1.2, gid=f"boxes:{class_id}")
        for i in np.flatnonzero(mine & ~boxed):
            for polygon in labels.segments[i]:
                outline(ax, polygon[None] * size, class_color(class_id), width=1.2, gid=f"polygons:{class_id}")
    order = np.argsort(-(boxes[:, 2:] - boxes[:, :2]).prod(1), kind="stable").tolist()
    names = labels.class_names()
    written = [Label(short(names[i], 24), boxes[i], class_color(int(labels.class_id[i]))) for i in order[:most]]
    return write_labels(ax, written, np.empty((0, 4))) + len(order[most:])
