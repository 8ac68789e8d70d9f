"""Whether the confidence of each level can be believed: reliability, and how many detections speak for it."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from diagnosis.surveys.answers import calibration_error

from ...canvas.legend import foot
from ...canvas.palette import level_color
from ...canvas.style import Picture, Style, styled
from .missing import NO_TRUTH, nothing_detected, without_detections
from .pieces import bare, level_handles, level_names, percent, rows_of, say, sheet

TITLE = "Right detections at each confidence"
FEW = 5  # detections: a bin with fewer is drawn empty
BINS = 20  # of the histogram


def calibration(survey: Any, *, width: float | None = None, style: Style = None) -> Picture:
    """Draw how often detections of a confidence are right, by level, and how many detections each level makes.

    Returns a Figure. Without labels only the second is drawn.
    """
    with styled(style):
        figure, (left, right) = sheet((1, 1), 3.2, width)
        reliability(left, survey)
        histogram(right, survey)
        notes = [f"Empty marks: fewer than {FEW} detections. Error: Guo et al. 2017."] if survey.truth else []
        foot(figure, level_handles(survey), notes)
    return figure


def reliability(ax: Axes, survey: Any) -> None:
    """The share of right detections over confidence, one line a level; on the diagonal it can be believed."""
    lacks = without_detections(survey)
    if lacks:
        return say(ax, TITLE, lacks)
    rows = rows_of(survey.calibration("level_name"))
    error = {row["level_name"]: row["error"] for row in rows_of(calibration_error(survey, "level_name"))}
    ax.plot([0, 1], [0, 1], color="0.6", lw=0.8, ls=(0, (3, 2)), gid="diagonal")
    most = max(row["count"] for row in rows)
    for name in level_names(survey):
        mine = [row for row in rows if row["level_name"] == name]
        if mine:
            _line(ax, name, mine, most, f"{name}: error {error[name]:.2f}")
    ax.set(xlim=(0, 1), ylim=(0, 1.03), title=TITLE, xlabel="confidence", ylabel="right detections")
    percent(ax.yaxis)
    ax.legend(loc="upper left", handlelength=1.2, borderaxespad=0.2)
    bare(ax)
    return None


def _line(ax: Axes, name: str, rows: list[dict[str, Any]], most: int, label: str) -> None:
    color = level_color(name)
    x, y = [row["confidence"] for row in rows], [row["correct"] for row in rows]
    count = np.array([row["count"] for row in rows])
    ax.plot(x, y, color=color, lw=1.2, label=label, gid=f"line:{name}")
    ground = [color if value >= FEW else "white" for value in count.tolist()]
    marks = ax.scatter(x, y, s=8 + 52 * count / most, c=ground, edgecolors=color, linewidths=0.9, zorder=3)
    marks.set_gid(f"bins:{name}")


def histogram(ax: Axes, survey: Any) -> None:
    """How many detections each level makes at each confidence."""
    title = "Detections by confidence"
    lacks = nothing_detected(survey)
    if lacks:
        return say(ax, title, lacks)
    seen = survey.detections.select("level_name", "confidence").collect()
    edges = np.linspace(0, 1, BINS + 1)
    for name in level_names(survey):
        values = seen.filter(seen["level_name"] == name)["confidence"].to_numpy()
        counts = np.histogram(values, edges)[0]
        ax.stairs(counts, edges, color=level_color(name), lw=1.2, gid=f"histogram:{name}")
    ax.set(xlim=(0, 1), ylim=(0, None), title=title, xlabel="confidence", ylabel="detections")
    if not survey.truth:
        ax.text(0.5, 0.97, NO_TRUTH, transform=ax.transAxes, ha="center", va="top", fontsize=6, color="0.35")
    bare(ax)
    return None
