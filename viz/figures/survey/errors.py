"""Which errors are made, of which kind, by which level."""

from typing import Any

from matplotlib.axes import Axes

from diagnosis.surveys.photographs.selection import WORDS
from diagnosis.surveys.tables import ERRORS

from ...canvas.legend import foot
from ...canvas.style import Picture, Style, styled
from .missing import NO_TRUTH
from .pieces import level_handles, level_names, rows_of, say, sheet, stacked_bars

TITLE = "Errors by kind"
NOTE = (
    "TIDE's kinds (Bolya et al. 2020); missed: no detection of a wrong class or a box that does not fit accounts for "
    "it,\nat the level of its best candidate."
)


def errors(survey: Any, *, width: float | None = None, style: Style = None) -> Picture:
    """Draw the number of errors of each kind, stacked by level. Returns a Figure."""
    with styled(style):
        figure, (ax,) = sheet((1,), 2.7, width)
        error_bars(ax, survey)
        foot(figure, level_handles(survey), [NOTE] if survey.truth else [])
    return figure


def error_bars(ax: Axes, survey: Any) -> None:
    """One bar a kind of error, stacked by level."""
    if not survey.truth:
        return say(ax, TITLE, NO_TRUTH)
    rows = rows_of(survey.errors("level_name"))
    if not rows:
        return say(ax, TITLE, "No error: every detection is right, and every object was found.")
    kinds = (*ERRORS, "missed")
    counts = {name: [0] * len(kinds) for name in level_names(survey)}
    for row in rows:
        counts[row["level_name"]][kinds.index(row["error"])] += row["count"]
    stacked_bars(ax, [WORDS[kind] for kind in kinds], counts)
    ax.set(title=TITLE, xlabel="errors")
    return None
