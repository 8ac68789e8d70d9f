"""What a lower confidence threshold would bring, and what it would cost."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ...canvas.legend import foot
from ...canvas.style import Picture, Style, styled
from .missing import without_objects
from .pieces import bare, rows_of, say, sheet

NOTE = "Each point: the threshold, and how many false positives come for one object."
TITLE = "Objects not confident enough that a lower threshold would find"
THRESHOLDS = (0.25, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01)
LINE = "#333333"  # no level has this colour


def lower_thresholds(survey: Any) -> list[float]:
    """The thresholds below the survey's own that are asked about."""
    return [value for value in THRESHOLDS if value < float(survey.settings["conf"])]


def rescue(survey: Any, *, width: float | None = None, style: Style = None) -> Picture:
    """Draw how many missed objects lower thresholds would find, and the false positives that come with them.

    Returns a Figure.
    """
    with styled(style):
        figure, (ax,) = sheet((1,), 2.9, width)
        rescue_lines(ax, survey)
        foot(figure, (), [NOTE] if survey.truth else [])
    return figure


def rescue_lines(ax: Axes, survey: Any) -> None:
    """Objects rescued over the false positives that come with them, a point a threshold."""
    lacks = without_objects(survey)
    asked = lower_thresholds(survey)
    rows = [] if lacks or not asked else rows_of(survey.rescue(asked))
    if not rows:
        return say(ax, TITLE, lacks or "No threshold lies below that of this survey.")
    missed = rows[0]["missed"]
    x, y = ([row[name] for row in rows] for name in ("false_positives", "rescued"))
    ax.plot(x, y, "o-", color=LINE, ms=4, lw=1.2, gid="rescue")
    for row in rows:
        cost = "" if row["cost"] is None else f": {row['cost']:.1f} each"
        at = (row["false_positives"], row["rescued"])
        _write(ax, at, f"{row['conf']:g}{cost}")
    ax.set_xscale("symlog", linthresh=10)
    ax.set(xlim=(_left(min(x)), 2 * max(*x, 10)), ylim=(0, 1.42 * max(*y, 1)), title=TITLE)
    ax.set_xlabel("false positives that come with them")
    ax.set_ylabel(f"objects found, of {missed}")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    bare(ax)
    return None


def _write(ax: Axes, at: tuple[float, float], words: str) -> None:
    """What a point is, aslant and above it to the left: no other word and no part of a rising line comes there."""
    ax.annotate(
        words,
        at,
        xytext=(-2, 4),
        textcoords="offset points",
        ha="right",
        rotation=-35,
        rotation_mode="anchor",
        fontsize=6.5,
        gid="threshold",
    )


def _left(least: int) -> float:
    """Where the axis begins: before 0 where a point lies near it, otherwise shortly before the first point."""
    return -2.0 if least <= 20 else 0.3 * least
