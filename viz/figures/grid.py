"""Where the cells of each level are declared to be, where they look, and whence their boxes are measured."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from diagnosis import GridLevel, GridReport, check_grid
from diagnosis.grid.sight import Sight

from ..canvas.frame import corners
from ..canvas.given import a_network
from ..canvas.layout import fit, panels
from ..canvas.legend import foot, ring
from ..canvas.palette import level_color
from ..canvas.photo import outline, photograph
from ..canvas.style import DOUBLE, Picture, Style, styled

ALARM = "#E8112D"  # no level has this colour
CELL = 0.15  # of the width of a panel: a cell is drawn so large
ROOM = 0.22  # of the width of a panel: nothing is drawn farther from its cell, unless it is so far


def grid(report: GridReport | object, *, width: float | None = None, style: Style = None) -> Picture:
    """Draw the readings of ``diagnosis.check_grid``, one panel a level, on the network input that was asked about.

    ``report``: what it returned, or a model, which it is then asked about.
    A few cells of each level, enlarged in place by the factor that stands in the panel: a cross in the middle, an arrow
    to the centre of what the cell looks at, a diamond where its box is measured from. Titles give stride and offset in
    numbers. Returns a Figure; raises ValueError for a report without sights.

    >>> figure = viz.grid(model)  # doctest: +SKIP
    """
    if not isinstance(report, GridReport):
        report = check_grid(a_network(report, "viz.grid", "a GridReport or a model"))
    levels = list(_sights(report))
    image = report.image
    if image is None or not levels:
        why = report.blind or "It was made with sight=False, or the sizes of its grids are wrong."
        raise ValueError(f"This report does not say where cells look. {why}")
    shape = image.shape[:2]
    count = len(levels)
    cols = min(count, 3)
    with styled(style):
        figure, axes = panels(-(-count // cols), cols, shape, width or DOUBLE)
        for ax in axes.flat[count:]:
            ax.set_axis_off()
        for ax, (level, sight) in zip(axes.flat, levels, strict=False):
            photograph(ax, image, grey=True).set_alpha(0.35)
            ax.set_title(_title(level, sight))
            codes = [finding.code for finding in report if finding.level == level.index]
            for spine in ax.spines.values():
                spine.set(color=ALARM if codes else level_color(level.name), linewidth=1.6)
            _draw(ax, level, sight, shape[1], codes)
        foot(figure, _legend(report))
        fit(figure, len(axes))
    return figure


def _sights(report: GridReport) -> Iterator[tuple[GridLevel, Sight]]:
    """The levels of which is known where their cells look."""
    for level in report.levels:
        if level.sight is not None:
            yield level, level.sight


def _draw(ax: Axes, level: GridLevel, sight: Sight, across: float, codes: list[str]) -> None:
    """The cells of one level and what belongs to them, enlarged about their middles; faults and factor in words."""
    color = level_color(level.name)
    away = sight.seen - sight.declared
    factor = min(CELL * across / level.stride, ROOM * across / max(np.abs(away).max(), 1e-9))
    factor = 1.0 if factor < 1.5 else factor
    half = factor * level.stride / 2
    outline(ax, corners(np.hstack((sight.declared - half, sight.declared + half))), color, gid=f"cells:{level.name}")
    ends = sight.declared + factor * away
    bend = "arc3,rad=0" if factor > 1 else "arc3,rad=0.25"  # ways there and back do not hide one another
    for start, end in zip(sight.declared, ends, strict=True):
        for shade, line in (("white", 2.4), (color, 1.4)):
            arrow = {"arrowstyle": "-", "connectionstyle": bend, "color": shade, "linewidth": line}
            way = ax.annotate("", end, start, arrowprops={**arrow, "shrinkA": 0, "shrinkB": 0}, annotation_clip=False)
            way.set_in_layout(False)
    ax.plot(*sight.declared.T, "+", color="black", ms=5, mew=0.9, gid=f"declared:{level.name}")
    ax.plot(*ends.T, "o", color=color, mec="black", mew=0.6, ms=4.5, gid=f"seen:{level.name}", clip_on=False)
    if level.aim.offset is not None:
        points = sight.declared + factor * level.aim.offset * level.stride
        ax.plot(*points.T, "D", mfc="none", mec="black", mew=0.7, ms=5.5, gid=f"measured:{level.name}")
    ground = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0}
    words = f"cells drawn {factor:.0f} times larger" if factor > 1 else "to scale"
    place = {"transform": ax.transAxes, "fontsize": "small", "bbox": ground, "zorder": 6}
    ax.text(0.02, 0.02, words, ha="left", va="bottom", gid="factor", **place)
    if codes:
        ax.text(0.02, 0.98, "\n".join(dict.fromkeys(codes)), ha="left", va="top", color=ALARM, gid="codes", **place)


def _title(level: GridLevel, sight: Sight) -> str:
    """The numbers of one level, in three or four lines."""
    pitch = np.abs(np.diag(sight.slope)) * level.stride
    lines = [
        "{}, {} × {} cells of {:g} px".format(level.name, *level.cells, level.stride),
        f"cells look {pitch[0]:.1f} × {pitch[1]:.1f} px apart",
        f"and {_signed(sight.offset)} cells off" if sight.straight else "and not where they lie",
    ]
    if level.aim.offset is not None:
        lines.append(f"boxes measured {_signed(level.aim.offset)} off")
    if level.objects is not None:
        lines.append(f"boxes {_signed(level.objects.offset)} off objects")
    return "\n".join(lines)


def _signed(offset: np.ndarray) -> str:
    """An offset xy in cells; no minus before a zero."""
    return ", ".join(f"{round(value, 2) + 0.0:+.2f}".replace("-", "−") for value in offset.tolist())


def _legend(report: GridReport) -> list[Line2D]:
    looks = Line2D([], [], marker="o", color="0.4", mec="black", mew=0.6, ms=4.5, linewidth=1.4, label="where it looks")
    handles = [ring("cell, as declared", "0.4", size=6), _point("its middle", "+", 5), looks]
    if any(level.aim.offset is not None for level in report.levels):
        handles.append(_point("where its box is measured from", "D", 5.5, mew=0.7))
    return handles


def _point(label: str, marker: str, size: float, mew: float | None = None) -> Line2D:
    return Line2D([], [], marker=marker, mfc="none", mew=mew, ms=size, label=label, linestyle="none", color="black")
