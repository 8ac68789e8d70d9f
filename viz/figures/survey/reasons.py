"""Why objects are missed, the most frequent reason first."""

from typing import Any

from matplotlib.axes import Axes

from diagnosis.objects.missed import STAGES

from ...canvas.legend import foot
from ...canvas.style import Picture, Style, styled
from .missing import without_objects
from .pieces import level_handles, level_names, rows_of, say, sheet, stacked_bars

TITLE = "Why objects are missed"
NOTE = "Each object at the level of its best candidate."


def reasons(survey: Any, *, width: float | None = None, style: Style = None) -> Picture:
    """Draw what stopped the objects that were missed, stacked by level, most frequent first. Returns a Figure."""
    with styled(style):
        figure, (ax,) = sheet((1,), 2.5, width)
        reason_bars(ax, survey)
        foot(figure, level_handles(survey), [NOTE] if survey.truth else [])
    return figure


def reason_bars(ax: Axes, survey: Any) -> None:
    """One bar a reason, stacked by level."""
    lacks = without_objects(survey)
    if lacks:
        return say(ax, TITLE, lacks)
    ranked = [row["stage"] for row in rows_of(survey.reasons())]
    if not ranked:
        return say(ax, TITLE, "Every object was found.")
    counts = {name: [0] * len(ranked) for name in level_names(survey)}
    for row in rows_of(survey.reasons("level_name")):
        counts[row["level_name"]][ranked.index(row["stage"])] += row["count"]
    stacked_bars(ax, [_broken(STAGES[stage]) for stage in ranked], counts)
    ax.set(title=TITLE, xlabel="objects missed")
    return None


def _broken(words: str, most: int = 22) -> str:
    """A long reason on two lines of about the same length."""
    gaps = [place for place, letter in enumerate(words) if letter == " "]
    if len(words) <= most or not gaps:
        return words
    cut = min(gaps, key=lambda place: abs(place - len(words) / 2))
    return f"{words[:cut]}\n{words[cut + 1 :]}"
