"""Which level repeats what which level found."""

from typing import Any

import numpy as np
import polars
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from ...canvas.style import Picture, Style, styled
from .heat_table import heat_table
from .missing import nothing_detected, without_detections
from .pieces import level_names, rows_of, say, sheet

TITLE = "Duplicates that were kept"


def duplicates(survey: Any, *, width: float | None = None, style: Style = None) -> Picture:
    """Draw which level repeats what which level found, and the rivals that suppression removed. Returns a Figure.

    The second needs no labels.
    """
    with styled(style):
        figure, (left, right) = sheet((1, 1), 2.6, width)
        duplicate_table(left, survey)
        rival_table(right, survey)
    return figure


def duplicate_table(ax: Axes, survey: Any) -> None:
    """Duplicates by their own level (columns) and the level of the detection that found their object (rows)."""
    lacks = without_detections(survey)
    if lacks:
        return say(ax, TITLE, lacks)
    names = level_names(survey)
    counts = np.zeros((len(names), len(names)), np.int64)
    for row in rows_of(survey.duplicates()):
        counts[names.index(row["found_by"]), names.index(row["level_name"])] += row["count"]
    _table(ax, counts, names, f"{TITLE}: {counts.sum()}", "duplicate made by", "object found by")
    return None


def rival_table(ax: Axes, survey: Any) -> None:
    """Rivals that suppression removed, by their own level (columns) and the level of the detection that won (rows)."""
    title = "Rivals that suppression removed"
    lacks = nothing_detected(survey)
    if lacks:
        return say(ax, title, lacks)
    names = level_names(survey)
    columns = [f"rivals_{name}" for name in names]
    sums = survey.detections.group_by("level_name").agg(polars.col(columns).sum()).collect()
    found = {row["level_name"]: [row[column] for column in columns] for row in rows_of(sums)}
    counts = np.array([found.get(name, [0] * len(names)) for name in names], dtype=np.int64)
    _table(ax, counts, names, f"{title}: {counts.sum()}", "rival made by", "suppressed by")
    return None


def _table(ax: Axes, counts: np.ndarray, names: list[str], title: str, across: str, down: str) -> None:
    texts = [[str(value) for value in row] for row in counts.tolist()]
    norm = Normalize(0, max(int(counts.max(initial=0)), 1))
    heat_table(ax, counts.astype(float), texts, names, names, cmap="YlGnBu", norm=norm, gid="levels")
    for text in ax.texts:
        text.set_fontsize("medium")
    ax.xaxis.set_label_position("top")
    ax.set(xlabel=across, ylabel=down)
    ax.set_title(title, pad=6)
