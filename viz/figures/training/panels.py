"""The panels of a training: which curves stand in each, and how they are drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import polars
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from diagnosis.training.record import About
from diagnosis.training.tables import SIZES

from ...canvas.palette import level_color
from ...canvas.style import label_powers
from ..loss_by_level import SIZE_COLORS
from .curves import Curve, Rows, curve, greatest, share

PART_COLORS = {"backbone": "black", "neck": "#0072B2", "head": "0.6"}  # of which no level from P2 to P7 is
WHOLE = "0.2"
DASHES = ("-", (0, (3, 1.2)), ":")  # of a head's branches
WIDE = 30.0  # times the median: greater values want a logarithmic axis
POINTS = 30  # up to so many stand as dots on their line
APART = 0.045  # of an axis, between the zeros of one line and of the next
BELOW = 1e4  # times smaller than the lowest tenth of a line: such numbers leave a logarithmic axis
BROKEN = "#E8112D"


@dataclass(frozen=True)
class Line:
    """A curve as it is drawn; ``name`` tells it from others of its panel."""

    name: str
    curve: Curve
    color: str
    dash: object = "-"


@dataclass(frozen=True)
class Panel:
    """``key`` for findings and ids of artists; ``scale`` "log", "share", or "" where the numbers decide."""

    key: str
    title: str
    lines: tuple[Line, ...]
    scale: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing of it was measured."""
        return all(line.curve.empty for line in self.lines)


def panels_of(rows: Rows, about: About, branches: Sequence[str]) -> Iterator[Panel]:
    """Every panel of a watch: what is learned from, what it costs, how strongly it pulls, how it is driven."""
    counts = "log" if len(branches) > 1 else ""  # one branch has many times the positives of the other
    yield _by_level(rows, about, branches, "positives", "positive cells a batch", counts)
    yield _by_level(rows, about, branches, "target_mass", "target mass a batch", counts)
    yield _without(rows, branches)
    for item in rows.items:
        yield _by_level(rows, about, branches, item, f"{item} loss")
    yield _parts(rows)
    yield _by_level(rows, about, branches, "grad_box", "gradient of the box stacks", "log")
    yield _by_level(rows, about, branches, "grad_class", "gradient of the class stacks", "log")
    yield _by_level(rows, about, branches[:1], "activation", "scale of what the head reads")
    known = rows.batches.with_columns(polars.col("rate").fill_nan(None))  # of a loop of one's own it is not known
    for column, title in (("loss", "loss that is minimized"), ("rate", "learning rate")):
        yield Panel(column, title, (Line(column, curve(known, column), WHOLE),))


def _by_level(rows: Rows, about: About, branches: Sequence[str], column: str, title: str, scale: str = "") -> Panel:
    """A line a level and branch."""
    lines = [
        Line(
            name=f"{level.name}:{branch}",
            curve=curve(rows.levels, column, level=level.index, branch=branch),
            color=level_color(level.name),
            dash=dash_of(about, branch),
        )
        for branch, level in product(branches, about.levels)
    ]
    return Panel(column, title, tuple(lines), scale)


def _without(rows: Rows, branches: Sequence[str]) -> Panel:
    """A line a size and branch."""
    lines = [
        Line(
            name=f"{size}:{branch}",
            curve=share(rows.sizes, "without", "objects", size=size, branch=branch),
            color=SIZE_COLORS[size],
            dash=DASHES[place % len(DASHES)],
        )
        for (place, branch), size in product(enumerate(branches), SIZES)
    ]
    return Panel("without", "objects without a positive", tuple(lines), "share")


def _parts(rows: Rows) -> Panel:
    lines = [Line(part, curve(rows.batches, f"grad_{part}"), color) for part, color in PART_COLORS.items()]
    return Panel("grad", "gradient before clipping", tuple(lines), "log")


def dash_of(about: About, branch: str) -> object:
    """The dashes of a branch, the same in all panels."""
    return DASHES[list(about.branches).index(branch) % len(DASHES)]


def draw_panel(ax: Axes, panel: Panel, span: tuple[float, float]) -> None:
    """Lines with their bands; zeros of a logarithmic axis as triangles below, what is not finite as crosses above."""
    low, high = span
    room = max(0.02 * (high - low), 0.5)
    ax.set(xlim=(low - room, high + room), title=panel.title)
    logarithmic = panel.scale == "log" or (not panel.scale and _wide(panel))
    if logarithmic:
        ax.set_yscale("log")
    for place, line in enumerate(panel.lines):
        gid = f"{panel.key}:{line.name}"
        _draw_line(ax, line, gid, logarithmic=logarithmic)
        _draw_marks(ax, line, gid, zeros=APART * place if logarithmic else None)
    _scale(ax, panel, logarithmic=logarithmic)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="0.92", linewidth=0.5)
    ax.set_axisbelow(True)


def _draw_line(ax: Axes, line: Line, gid: str, *, logarithmic: bool) -> None:
    shown, color = line.curve, line.color
    median, low = shown.median, shown.low
    if logarithmic:
        median = np.where(median > 0, median, np.nan)
        low = np.where(low > 0, low, median)
    dots = {"marker": ".", "markersize": 3} if len(shown.step) <= POINTS else {}
    ax.plot(shown.step, median, color=color, linestyle=line.dash, linewidth=1.0, gid=gid, **dots)
    if (shown.high > shown.low).any():
        ax.fill_between(shown.step, low, shown.high, color=color, alpha=0.2, linewidth=0, gid=f"band:{gid}")


def _draw_marks(ax: Axes, line: Line, gid: str, *, zeros: float | None) -> None:
    """What is no number on the axis: zeros as triangles at the height ``zeros``, what is not finite as crosses."""
    edge = {"transform": ax.get_xaxis_transform(), "clip_on": False, "zorder": 3}
    zero, broken = line.curve.zero, line.curve.broken
    if zeros is not None and len(zero):
        height = np.full(len(zero), zeros)
        ax.scatter(zero, height, marker="v", s=9, color=line.color, lw=0, gid=f"zero:{gid}", **edge)
    if len(broken):
        height = np.full(len(broken), 0.95)
        ax.scatter(broken, height, marker="x", s=12, lw=0.8, color=BROKEN, gid=f"broken:{gid}", **edge)


def _scale(ax: Axes, panel: Panel, *, logarithmic: bool) -> None:
    """Limits and ticks of the y axis."""
    if logarithmic:
        _decades(ax, [line.curve.median[line.curve.median > 0] for line in panel.lines])
    elif panel.scale == "share":
        ax.set_ylim(-0.04, 1.04)
        ax.set_yticks([0, 0.5, 1])
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    else:
        top = ax.get_ylim()[1] if len(greatest(line.curve for line in panel.lines)) else 1.0
        ax.set_ylim(-0.03 * top, top)
        ax.yaxis.set_major_locator(MaxNLocator(3))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))


def _decades(ax: Axes, lines: Sequence[np.ndarray]) -> None:
    """Limits that a few numbers near zero do not stretch; ticks at powers of ten, or closer where these are few."""
    lowest = [np.quantile(values, 0.1) / BELOW for values in lines if len(values)]
    if not lowest:
        ax.set_ylim(0.1, 10)
    elif min(lowest) > ax.get_ylim()[0]:
        ax.set_ylim(bottom=float(min(lowest)))
    low, high = np.log10(ax.get_ylim())
    ax.yaxis.set_minor_locator(NullLocator())
    if np.floor(high) - np.ceil(low) < 1:
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    else:
        label_powers(ax.yaxis)


def _wide(panel: Panel) -> bool:
    """Whether some line leaves its usual height so far behind that a linear axis would show nothing else."""
    for line in panel.lines:
        values = line.curve.high[line.curve.high > 0]
        if len(values) and values.max() > WIDE * np.median(values):
            return True
    return False
