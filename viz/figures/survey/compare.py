"""Two surveys of one set: objects found and lost, and how recall differs."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from diagnosis.surveys.answers import CHANGES

from ...canvas.legend import foot
from ...canvas.palette import level_color
from ...canvas.style import Picture, Style, styled
from .missing import NO_TRUTH, without_objects
from .pieces import WHOLE, bare, level_handles, level_names, percent, rows_of, say, sheet, short, stacked_bars

TITLE = "Objects that changed"
ENOUGH = 5  # objects: classes with fewer are not drawn
SHOWN = ("found", "lost", "moved")
NOTE = "Levels: of the second survey; of objects that it lost, of the first. Lines: 95 % intervals over images."


def compare(survey: Any, after: Any, *, most: int = 8, width: float | None = None, style: Style = None) -> Picture:
    """Draw which objects ``after`` finds, loses and finds on another level, and by how much recall differs.

    Differences with 95 % intervals: overall, by size, by level, and of the ``most`` classes that differ most, among
    those of 5 objects or more. Returns a Figure.
    """
    with styled(style):
        figure, (left, right) = sheet((1, 1.25), 4.2, width)
        if without_objects(survey) or not after.truth:
            for ax, title in ((left, TITLE), (right, "Difference of recall")):
                say(ax, title, without_objects(survey) or NO_TRUTH)
            return figure
        joined = survey.compare(after)
        changed_bars(left, survey, joined)
        differences(right, survey, joined, most)
        foot(
            figure,
            level_handles(survey),
            [NOTE],
        )
    return figure


def changed_bars(ax: Axes, survey: Any, joined: Any) -> None:
    """How many objects were found, lost and moved, stacked by level."""
    counts = {name: [0] * len(SHOWN) for name in level_names(survey)}
    for row in rows_of(joined.objects.select("change", "before_level_name", "after_level_name")):
        if row["change"] in SHOWN:
            level = row["before_level_name" if row["change"] == "lost" else "after_level_name"]
            counts[level][SHOWN.index(row["change"])] += 1
    stacked_bars(ax, [CHANGES[change].replace(", ", ",\n") for change in SHOWN], counts)
    ax.set(title=TITLE, xlabel="objects")


def differences(ax: Axes, survey: Any, joined: Any, most: int) -> None:
    """The difference of recall, one line a group."""
    rows = [("all objects", row, WHOLE) for row in rows_of(joined.difference())]
    rows += [(row["size"], row, WHOLE) for row in rows_of(joined.difference("size"))]
    rows += [
        (row["level_name"], row, level_color(row["level_name"])) for row in rows_of(joined.difference("level_name"))
    ]
    classes = [
        row for row in rows_of(joined.difference("class_name")) if row["difference"] and row["objects"] >= ENOUGH
    ]
    classes.sort(key=lambda row: -abs(row["difference"]) * np.sqrt(row["objects"]))
    rows += [(short(row["class_name"]), row, WHOLE) for row in classes[:most]]
    ax.axvline(0, color="0.6", lw=0.8)
    for place, (_, row, color) in enumerate(rows):
        ax.plot([row["low"], row["high"]], [place] * 2, color=color, lw=1.6, gid="interval")
        ax.plot(row["difference"], place, "o", color=color, mec="black", mew=0.5, ms=4.5, gid="difference")
    ax.set_yticks(range(len(rows)), [f"{name} ({row['objects']})" for name, row, _ in rows])
    ax.set(ylim=(len(rows) - 0.4, -0.6), title="Recall: after − before", xlabel="difference (objects in brackets)")
    percent(ax.xaxis)
    ax.tick_params(axis="y", length=0)
    bare(ax)
