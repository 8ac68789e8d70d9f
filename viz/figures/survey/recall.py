"""How many objects each level finds, by their size, and the classes that are missed most."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from diagnosis.surveys.tables import SIZES

from ...canvas.legend import foot
from ...canvas.style import Picture, Style, styled
from .heat_table import heat_table
from .missing import without_objects
from .pieces import Bar, grouped_bars, level_handles, level_names, percent, rows_of, say, sheet, short

TITLE = "Objects found, by size"
NOTE = (
    "A missed object counts for the level of its best candidate.\n"
    "Lines: Wilson's 95 % intervals; above: found/objects; grey: no object."
)


def recall(survey: Any, *, most: int = 14, width: float | None = None, style: Style = None) -> Picture:
    """Draw the share of objects found, by level and size, and the ``most`` classes that are worst for certain.

    Returns a Figure.
    """
    with styled(style):
        figure, (left, right) = sheet((1.45, 1), 3.6, width)
        recall_bars(left, survey)
        worst_classes(right, survey, most)
        foot(figure, level_handles(survey, whole="all levels"), [NOTE])
    return figure


def recall_bars(ax: Axes, survey: Any) -> None:
    """Bars of recall in groups of size, one a level."""
    lacks = without_objects(survey)
    if lacks:
        return say(ax, TITLE, lacks)
    series: dict[str, dict[str, Bar]] = {name: {} for name in (*level_names(survey), "all")}
    for by in (("level_name", "size"), ("level_name",), ("size",), ("all",)):
        for row in rows_of(survey.recall(*by)):
            bars = series.setdefault(row.get("level_name", "all"), {})
            bars[row.get("size", "all")] = _bar(row)
    grouped_bars(ax, (*SIZES, "all"), series)
    ax.set(ylim=(0, 1.22), title=TITLE, ylabel="objects found")
    percent(ax.yaxis)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    return None


def worst_classes(ax: Axes, survey: Any, most: int) -> None:
    """A table of recall by class and size: the classes whose interval ends lowest."""
    title = "Classes missed most"
    lacks = without_objects(survey)
    if lacks:
        return say(ax, title, lacks)
    worst = survey.recall("class_name").sort("high", "objects", descending=[False, True])["class_name"].to_list()[:most]
    columns = (*SIZES, "all")
    known = {(row["class_name"], row["size"]): row for row in rows_of(survey.recall("class_name", "size"))}
    known |= {(row["class_name"], "all"): row for row in rows_of(survey.recall("class_name"))}
    values = np.full((len(worst), len(columns)), np.nan)
    texts = [["" for _ in columns] for _ in worst]
    for i, name in enumerate(worst):
        for j, size in enumerate(columns):
            row = known.get((name, size))
            if row is not None:
                values[i, j], texts[i][j] = row["recall"], f"{row['found']}/{row['objects']}"
    names = [short(name) for name in worst]
    heat_table(ax, values, texts, names, columns, cmap="YlGnBu", norm=Normalize(0, 1), gid="classes")
    ax.set_title(title, pad=14)
    return None


def _bar(row: dict[str, Any]) -> Bar:
    return Bar(row["recall"], (row["low"], row["high"]), f"{row['found']}/{row['objects']}")
