"""How many detections of each level are right, and which share of all right ones it makes."""

from typing import Any

from matplotlib.axes import Axes

from ...canvas.legend import foot
from ...canvas.style import Picture, Style, styled
from .missing import NO_TRUTH, nothing_detected
from .pieces import Bar, level_handles, level_names, lone_bars, percent, rows_of, say, sheet

TITLE = "Detections that are right"


def precision(survey: Any, *, width: float | None = None, style: Style = None) -> Picture:
    """Draw the share of right detections of each level, and each level's share of all right ones. Returns a Figure.

    Without labels the detections of each level are counted.
    """
    with styled(style):
        figure, (left, right) = sheet((1, 1), 2.8, width)
        precision_bars(left, survey)
        share_bars(right, survey)
        notes = ["Lines: Wilson's 95 % intervals; right of all detections above."] if survey.truth else []
        foot(figure, level_handles(survey, whole="all levels"), notes)
    return figure


def precision_bars(ax: Axes, survey: Any) -> None:
    """One bar of precision a level, and one of all levels."""
    lacks = nothing_detected(survey) or ("" if survey.truth else NO_TRUTH)
    if lacks:
        return say(ax, TITLE, lacks)
    rows = {row["level_name"]: row for row in rows_of(survey.precision("level_name"))}
    rows["all"] = rows_of(survey.precision("all"))[0]
    bars = {
        name: Bar(row["precision"], (row["low"], row["high"]), f"{row['correct']}/{row['detections']}")
        for name, row in rows.items()
    }
    lone_bars(ax, level_names(survey), bars)
    ax.set(ylim=(0, 1.15), title=TITLE, ylabel="right detections")
    percent(ax.yaxis)
    return None


def share_bars(ax: Axes, survey: Any) -> None:
    """Which share of the right detections each level makes; without labels, of all detections."""
    title = "Who makes the right detections" if survey.truth else "Who makes the detections"
    lacks = nothing_detected(survey)
    if lacks:
        return say(ax, title, lacks)
    counts = _counts(survey)
    total = sum(counts.values())
    bars = {name: Bar(count / total if total else 0.0, None, str(count)) for name, count in counts.items()}
    lone_bars(ax, level_names(survey), bars)
    ax.set(ylim=(0, 1.15), title=title, ylabel="share of all")
    percent(ax.yaxis)
    return None


def _counts(survey: Any) -> dict[str, int]:
    """How many detections of each level are right, or are there at all where labels are missing."""
    if survey.truth:
        return {row["level_name"]: row["correct"] for row in rows_of(survey.precision("level_name"))}
    return dict(survey.detections.group_by("level_name").len().collect().iter_rows())
