"""What a training did level by level: from what it learned, what that cost, how strongly it pulled, what went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from diagnosis import SIZES, Finding, Watch, read_watch

from ..canvas.layout import room
from ..canvas.legend import foot
from ..canvas.palette import level_color
from ..canvas.style import DOUBLE, Picture, Style, styled
from .loss_by_level import SIZE_COLORS
from .training.curves import Epoch, Rows
from .training.marks import mark, panels_for, sentences
from .training.panels import PART_COLORS, Panel, dash_of, draw_panel, panels_of

if TYPE_CHECKING:
    from .training.live import LiveWatch

COLUMNS, ROW = 3, 1.25  # panels side by side; inches from one row of them to the next
LINE, AROUND = 0.115, 0.75  # inches a line of words takes, and title and legend together
TICKS = 6  # epochs named on an axis


@overload
def watch(
    watch: Watch | str | Path,
    *,
    live: Literal[False] = False,
    branch: str | None = None,
    most: int = 8,
    pause: float = 5.0,
    width: float | None = None,
    style: Style = None,
) -> Picture: ...
@overload
def watch(
    watch: Watch,
    *,
    live: Literal[True],
    branch: str | None = None,
    most: int = 8,
    pause: float = 5.0,
    width: float | None = None,
    style: Style = None,
) -> LiveWatch: ...
def watch(
    watch: Watch | str | Path,
    *,
    live: bool = False,
    branch: str | None = None,
    most: int = 8,
    pause: float = 5.0,
    width: float | None = None,
    style: Style = None,
) -> Picture | LiveWatch:
    """Draw a training as ``diagnosis.watch`` saw it, or as it stands in the folder of a watch; returns a Figure.

    A panel a number, over the epochs: positives, target mass and every loss item by level, objects without a positive
    by size, norms of the gradient, the scale of what the head reads, loss and learning rate. Levels have their colours,
    a second branch is dashed; ``branch`` draws one alone. Of many rows each point is the median of several, within a
    band from the least to the greatest. Findings, at most ``most``, have a number where they began and stand below.

    ``live``: an ipywidgets object instead, that draws itself anew while the training runs, at least ``pause`` seconds
    apart, and seldom enough to cost it little; display it before ``model.train(…)``. Raises ValueError for a branch
    that was not watched and for a live display of a folder, FileNotFoundError where there is no watch.
    """
    if live:
        from .training.live import live_watch

        return live_watch(watch, branch=branch, most=most, pause=pause, width=width, style=style)
    found = watch if isinstance(watch, Watch) else read_watch(watch)
    with styled(style):
        if not len(found):
            return _without_rows(found, most, width or DOUBLE)
        return _drawn(found, _branches(found, branch), most, width or DOUBLE)


def _branches(watch: Watch, branch: str | None) -> list[str]:
    known = list(watch.about.branches)
    if branch is not None and branch not in known:
        raise ValueError(f"branch must be one of {known}, but {branch!r} was given.")
    return known if branch is None else [branch]


def _drawn(watch: Watch, branches: list[str], most: int, width: float) -> Picture:
    rows, findings = Rows.of(watch), watch.findings
    every = list(panels_of(rows, watch.about, branches))
    panels = [panel for panel in every if not panel.empty]
    notes = [*_notes(rows, every), *sentences(findings, most, width / DOUBLE)]
    lines = sum(note.count("\n") + 1 for note in notes)
    count = max(-(-len(panels) // COLUMNS), 1)
    figure = Picture(figsize=(width, count * ROW + lines * LINE + AROUND), layout="constrained")
    room(figure, across=0.03, down=0.03)
    axes = list(figure.subplots(count, COLUMNS, squeeze=False).flat)
    numbered = list(enumerate(findings[:most], 1))
    keys = [panel.key for panel in panels]
    for ax, panel in zip(axes, panels, strict=False):
        draw_panel(ax, panel, rows.span)
        here = [pair for pair in numbered if panel.key in panels_for(pair[1], keys, rows.items)]
        mark(ax, here, panel.key)
    for place, ax in enumerate(axes):
        ax.set_axis_on() if place < len(panels) else ax.set_axis_off()
        _name_epochs(ax, rows.epochs(), named=place + COLUMNS >= len(panels))
    figure.suptitle(_title(watch, rows, findings))
    _below(figure, _handles(watch, panels, branches), notes)
    return figure


def _without_rows(watch: Watch, most: int, width: float) -> Picture:
    """No batch has come: so it says, with what was found all the same."""
    told = sentences(watch.findings, most, width / DOUBLE)
    lines = sum(note.count("\n") + 1 for note in told)
    figure = Picture(figsize=(width, 1 + lines * LINE), layout="constrained")
    figure.text(0.5, 0.6, "No batch has been watched yet.", ha="center", va="center", color="0.35", gid="missing")
    _below(figure, [], told)
    return figure


def _title(watch: Watch, rows: Rows, findings: tuple[Finding, ...]) -> str:
    epochs = [epoch.number for epoch in rows.epochs()]
    span = f"epoch {epochs[0]}" if len(set(epochs)) == 1 else f"epochs {epochs[0]} to {epochs[-1]}"
    count = f"{len(rows.batches)} watched batch{'' if len(rows.batches) == 1 else 'es'} (every {watch.about.every})"
    errors = sum(finding.severity == "error" for finding in findings)
    told = f"{errors} error(s), {len(findings) - errors} warning(s)" if findings else "nothing was found"
    return f"{watch.about.subject}, {span}, {count}: {told}"


def _notes(rows: Rows, panels: list[Panel]) -> list[str]:
    """How to read the points, and what was not measured."""
    notes = []
    if rows.together > 1:
        notes.append(f"A point: the median of {rows.together} watched batches; band: from the least to the greatest.")
    missing = [panel.title for panel in panels if panel.empty]
    return notes + ([f"Not measured: {', '.join(missing)}."] if missing else [])


def _name_epochs(ax: Axes, epochs: list[Epoch], *, named: bool) -> None:
    """Ticks where epochs begin; of a single one, the steps."""
    if len(epochs) > 1:
        step = max(-(-len(epochs) // TICKS), 1)
        shown = epochs[::step]
        ax.set_xticks([epoch.step for epoch in shown], [str(epoch.number) for epoch in shown])
    ax.tick_params(labelbottom=named)
    if named:
        ax.set_xlabel("epoch" if len(epochs) > 1 else "batch")


def _handles(watch: Watch, panels: list[Panel], branches: list[str]) -> list[Patch | Line2D]:
    """Levels, branches, sizes and parts, as far as they are drawn."""
    about, keys = watch.about, [panel.key for panel in panels]
    handles: list[Patch | Line2D] = [
        Patch(facecolor=level_color(level.name), label=f"{level.name} (stride {level.stride:g})")
        for level in about.levels
    ]
    if len(branches) > 1:
        handles += [Line2D([], [], color="0.2", ls=dash_of(about, branch), label=branch) for branch in branches]
    if "grad" in keys:
        handles += [Line2D([], [], color=color, label=part) for part, color in PART_COLORS.items()]
    if "without" in keys:
        handles += [Line2D([], [], color=SIZE_COLORS[size], label=f"{size} objects") for size in SIZES[:3]]
    return handles


def _below(figure: Picture, handles: list[Patch | Line2D], notes: list[str]) -> None:
    """The legend, with findings in words above it."""
    legend = foot(figure, handles, notes)
    if legend is not None:
        legend.get_title().set_multialignment("left")
