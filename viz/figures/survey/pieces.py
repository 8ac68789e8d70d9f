"""What the figures of a survey are made of: bars by level, their legend, and words where nothing is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from diagnosis.surveys.tables import SurveyTables

from ...canvas.layout import room
from ...canvas.palette import ink, level_color
from ...canvas.style import DOUBLE, Picture

WHOLE = "#777777"  # all levels together; no level has this colour
LONGEST = 18  # letters of a name on an axis
CROWDED = 0.25  # inches: where bars stand closer, what is written above them stands upright


@dataclass(frozen=True)
class Bar:
    """A bar: its height, the ends of its interval or None, what is written above it."""

    value: float
    ends: tuple[float, float] | None
    text: str


def sheet(widths: Sequence[float], height: float, width: float | None) -> tuple[Picture, list[Axes]]:
    """A figure with panels side by side, as wide as ``widths`` say in proportion; ``height`` in inches."""
    figure = Picture(figsize=(width or DOUBLE, height), layout="constrained")
    room(figure, across=0.04, down=0.04)
    axes = figure.subplots(1, len(widths), squeeze=False, width_ratios=list(widths))
    return figure, list(axes[0])


def level_names(survey: SurveyTables) -> list[str]:
    """The levels of a survey, finest first."""
    return [level.name for level in survey.levels]


def level_handles(survey: SurveyTables, *, whole: str = "") -> list[Patch]:
    """The levels in a legend, and what stands for all of them together, in the words of ``whole``."""
    handles = [
        Patch(facecolor=level_color(level.name), label=f"{level.name} (stride {level.stride:g})")
        for level in survey.levels
    ]
    return handles + ([Patch(facecolor=WHOLE, label=whole)] if whole else [])


def say(ax: Axes, title: str, words: str) -> None:
    """A panel without a picture: why there is none."""
    ax.set_title(title)
    ax.set_axis_off()
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color="0.35", wrap=True, gid="missing")


def bare(ax: Axes) -> None:
    """Leave the axes of bars alone: no frame at the top and right."""
    ax.spines[["top", "right"]].set_visible(False)


def percent(axis: Axis) -> None:
    """Write the ticks of an axis from 0 to 1 in per cent."""
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))


def short(name: object, most: int = LONGEST) -> str:
    """A name on one line, cut where it is long."""
    text = " ".join(str(name).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def grouped_bars(ax: Axes, groups: Sequence[str], series: Mapping[str, Mapping[str, Bar]]) -> None:
    """Bars side by side in groups: ``series`` a level (or "all") -> group -> bar; a missing one leaves its place."""
    count = len(series)
    step = 0.84 / max(count, 1)
    crowded = _between(ax, len(groups)) * step < CROWDED
    for i, (name, bars) in enumerate(series.items()):
        color = WHOLE if name == "all" else level_color(name)
        for place, group in enumerate(groups):
            bar = bars.get(group)
            if bar is not None:
                x = place + (i - (count - 1) / 2) * step
                _draw_bar(ax, x, 0.9 * step, bar, color, f"{name}:{group}", upright=crowded)
    _name_groups(ax, groups)


def lone_bars(ax: Axes, levels: Sequence[str], bars: Mapping[str, Bar]) -> None:
    """One bar a level under its name, and one of "all"; a level without one leaves its place."""
    names = [*levels, *(["all"] if "all" in bars else [])]
    for place, name in enumerate(names):
        if name in bars:
            _draw_bar(ax, place, 0.7, bars[name], WHOLE if name == "all" else level_color(name), name, upright=False)
    _name_groups(ax, names)


def _name_groups(ax: Axes, names: Sequence[str]) -> None:
    ax.set_xticks(range(len(names)), [short(name) for name in names])
    ax.set_xlim(-0.55, len(names) - 0.45)
    ax.tick_params(axis="x", length=0)
    bare(ax)


def _draw_bar(ax: Axes, x: float, width: float, bar: Bar, color: str, gid: str, *, upright: bool) -> None:
    ax.bar(x, bar.value, width=width, color=color, gid=gid)
    top = max(bar.value, 0.0)
    if bar.ends is not None:
        low, high = bar.ends
        ax.plot([x, x], [low, high], color="0.15", lw=0.8, solid_capstyle="butt", gid=f"interval:{gid}")
        top = max(top, high)
    ax.annotate(
        bar.text,
        (x, top),
        xytext=(0, 1.5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=6,
        rotation=90 if upright else 0,
        gid=f"count:{gid}",
    )


def _between(ax: Axes, groups: int) -> float:
    """Inches from one group to the next, about: the layout is not final yet."""
    return ax.get_window_extent().width / ax.figure.dpi / max(groups, 1)


def stacked_bars(ax: Axes, names: Sequence[str], counts: Mapping[str, Sequence[int]]) -> None:
    """Lying bars, the first on top, stacked by level: ``counts`` level -> (n,); each sum behind its bar."""
    places, base = np.arange(len(names)), np.zeros(len(names))
    most = float(np.sum([list(row) for row in counts.values()], axis=0).max()) if len(names) else 1.0
    for level, row in counts.items():
        color = level_color(level)
        ax.barh(places, row, left=base, color=color, ec="white", lw=0.4, gid=f"bars:{level}")
        for place, value, start in zip(places.tolist(), row, base.tolist(), strict=True):
            if value > 0.06 * most:
                ax.text(start + value / 2, place, str(value), ha="center", va="center", fontsize=6, color=ink(color))
        base = base + np.asarray(row)
    for place, total in zip(places.tolist(), base.tolist(), strict=True):
        ax.annotate(
            f"{total:.0f}",
            (total, place),
            xytext=(2, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            gid="sum",
        )
    ax.set(xlim=(0, 1.14 * max(most, 1)), ylim=(len(names) - 0.4, -0.6))
    ax.set_yticks(places, list(names))
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.tick_params(axis="y", length=0)
    bare(ax)


def rows_of(frame: Any) -> list[dict[str, Any]]:
    """The rows of an answer."""
    return list(frame.iter_rows(named=True))
