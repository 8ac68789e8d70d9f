"""What each level, and each class row of it, is worth: how scores change without it."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from ...canvas.legend import foot
from ...canvas.style import Picture, Style, styled
from .heat_table import heat_table
from .missing import without_objects
from .pieces import Bar, grouped_bars, level_handles, level_names, rows_of, say, sheet, short

TITLE = "Scores without a level"
SCORES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "mAP50", "mAP50_95")
NO_ABLATION = "This survey was made without ablation=True,\nso no level was taken away."


def without_worth(survey: Any) -> str:
    """Why nothing can be said of worth, "" where something can."""
    lacks = without_objects(survey)
    return lacks or ("" if survey.settings.get("ablation") else NO_ABLATION)


def worth(
    survey: Any, *, most: int = 14, score: str = "AP", width: float | None = None, style: Style = None
) -> Picture:
    """Draw how the scores change without each level, and ``score`` of the ``most`` affected classes without its row.

    Returns a Figure.
    """
    with styled(style):
        figure, (left, right) = sheet((1.35, 1), 3.6, width)
        lacks = without_worth(survey)
        if lacks:
            say(left, TITLE, lacks)
            say(right, "Classes without a level", lacks)
            return figure
        rows = rows_of(survey.worth())
        level_worth(left, survey, rows)
        class_worth(right, survey, rows, most, score)
        foot(figure, level_handles(survey))
    return figure


def level_worth(ax: Axes, survey: Any, rows: list[dict[str, Any]]) -> None:
    """Bars of the change of each score, one a level."""
    scores = [name for name in SCORES if rows and f"delta_{name}" in rows[0]]
    series: dict[str, dict[str, Bar]] = {name: {} for name in level_names(survey)}
    for row in rows:
        if row["class_name"] is None:
            for name in scores:
                value = row[f"delta_{name}"]
                if np.isfinite(value):
                    series[row["level_name"]][name] = Bar(value, None, "")
    grouped_bars(ax, scores, series)
    ax.axhline(0, color="0.4", lw=0.6)
    ax.set(title=TITLE, ylabel="change of the score")
    ax.set_xticklabels([name.replace("mAP50_95", "mAP50-95") for name in scores], rotation=35, ha="right")


def class_worth(ax: Axes, survey: Any, rows: list[dict[str, Any]], most: int, score: str) -> None:
    """A table of the change of one score by class and level: the classes that change most."""
    names, column = level_names(survey), f"delta_{score}"
    changes: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["class_name"] is not None and np.isfinite(row[column]):
            changes.setdefault(row["class_name"], {})[row["level_name"]] = row[column]
    ranked = sorted(changes, key=lambda name: -max(map(abs, changes[name].values())))[:most]
    title = f"{score} without a class row"
    if not ranked:
        return say(ax, title, "No class row was taken away.")
    values = np.array([[changes[name].get(level, np.nan) for level in names] for name in ranked])
    texts = [[_signed(value) for value in row] for row in values.tolist()]
    reach = max(float(np.nanmax(np.abs(values))), 1e-9)
    heat_table(
        ax,
        values,
        texts,
        [short(name) for name in ranked],
        names,
        cmap="RdBu",
        norm=Normalize(-reach, reach),
        gid="worth",
    )
    ax.set_title(title, pad=14)
    return None


def _signed(change: float) -> str:
    """A change with its sign; nothing where it is not known, and no sign before a zero."""
    if not np.isfinite(change):
        return ""
    text = f"{change:+.3f}"
    return "0" if float(text) == 0 else text.replace("-", "−")
