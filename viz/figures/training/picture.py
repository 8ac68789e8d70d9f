"""The figure of a training: its panels side by side, epochs below them, findings in words under all."""

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from diagnosis import SIZES, Finding, Watch

from ...canvas.layout import room
from ...canvas.legend import foot
from ...canvas.palette import level_color
from ...canvas.style import DOUBLE, Picture, Style, styled
from ..loss_by_level import SIZE_COLORS
from .curves import Epoch, Rows
from .marks import mark, panels_for, sentences
from .panels import PART_COLORS, Panel, dash_of, draw_panel, panels_of

COLUMNS, ROW = 3, 1.25  # panels side by side; inches from one row of them to the next
LINE, AROUND = 0.115, 0.75  # inches a line of words takes, and title and legend together
TICKS = 6.0  # epochs named on an axis, at most
ROUND = tuple(digit * 10**power for power in range(7) for digit in (1, 2, 5))


def picture(watch: Watch, *, branch: str | None, most: int, width: float | None, style: Style) -> Picture:
    """A Figure of a watch as it is now; arguments as in ``viz.watch``, which says what it shows.

    Raises ValueError for a branch that was not watched.
    """
    with styled(style):
        if not len(watch):
            return _without_rows(watch, most, width or DOUBLE)
        return _drawn(watch, _branches(watch, branch), most, width or DOUBLE)


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
    numbered = list(enumerate(findings[:most]))
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
    summed = rows.batches["accumulated"].max() if "accumulated" in rows.batches.columns else None
    if isinstance(summed, int) and summed > 1:
        notes.append(f"Gradients: one of each step of the optimizer, which sums up to {summed} batches.")
    missing = [panel.title for panel in panels if panel.empty]
    return notes + ([f"Not measured: {', '.join(missing)}."] if missing else [])


def _name_epochs(ax: Axes, epochs: list[Epoch], *, named: bool) -> None:
    """Ticks where epochs of round numbers begin; of a single one, at batches."""
    if len(epochs) > 1:
        apart = min(round_ for round_ in ROUND if len(epochs) / round_ <= TICKS)
        shown = [epoch for epoch in epochs if epoch.number % apart == 0]
        ax.set_xticks([epoch.step for epoch in shown], [str(epoch.number) for epoch in shown])
    else:
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
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
