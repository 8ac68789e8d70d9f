"""Boxes that the ceiling of their level cuts: their cut sides, drawn thick."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from anatomy import Trace

from .frame import vertices
from .palette import level_color

WIDTH, DOTS = 3.2, (0, (0.6, 0.6))
ENDS = {0: (0, 3), 1: (0, 1), 2: (1, 2), 3: (3, 2)}  # of the left, top, right, lower side, among the corners of a box


def draw_cut(ax: Axes, trace: Trace, *, gid: str = "cut") -> None:
    """Draw the sides of detections that end at the ceiling of their level, one collection a level.

    Of rotated boxes, whose sides turn, the corners do not tell which is which: nothing is drawn.
    """
    if trace.rotated or not trace.cut.any():
        return
    which, side = np.nonzero(trace.cut_sides)
    ends = np.array([ENDS[one] for one in side.tolist()]).reshape(-1, 2)
    lines = trace.corners[which[:, None], ends]
    for level in trace.levels:
        here = lines[trace.detections.level[which] == level.index]
        color = level_color(level.name)
        drawn = LineCollection(vertices(here), colors=color, linewidths=WIDTH, linestyles=DOTS, capstyle="butt")
        drawn.set_gid(f"{gid}:{level.name}")
        ax.add_collection(drawn, autolim=False)


def cut_handles(*counts: int) -> list[Line2D]:
    """The legend entry with how many boxes are cut, of one trace or of several; nothing where none is."""
    if not any(counts):
        return []
    told = " → ".join(map(str, counts))
    return [
        Line2D([], [], color="0.4", linewidth=WIDTH, linestyle=DOTS, label=f"side cut by its level's ceiling: {told}")
    ]
