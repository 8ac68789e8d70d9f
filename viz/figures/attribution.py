"""Which part of the photograph made a detection, drawn upon it, with the evidence for the map below."""

from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from anatomy import Trace
from diagnosis import METHODS, Attribution, Faithfulness, attribute

from ..canvas.evidence_map import draw_map, enlarge, slim_scale
from ..canvas.frame import cell_boxes, corners
from ..canvas.given import several
from ..canvas.layout import fit, panels
from ..canvas.legend import foot, ring
from ..canvas.palette import level_color
from ..canvas.photo import cell_marks, outline, stretch_note
from ..canvas.style import DOUBLE, SINGLE, Picture, Style, styled

COLUMNS = 3


def attribution(
    attributions: Attribution | Sequence[Attribution] | Trace,
    faithfulness: Faithfulness | Sequence[Faithfulness] | Any = None,
    *,
    method: str = "default",
    cell: bool = True,
    cmap: str | None = None,
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw maps of ``diagnosis.attribute`` upon the photograph, each on a scale of its own, up to three in a row.

    Of a trace, the second place takes a detection (by default the first), and ``method`` makes its map.
    ``faithfulness``: one for each map, written below it. The box and the explained cell wear the colour of their
    level; a small object stands enlarged in the corner farthest from it. Signed maps diverge from white at 0; of the
    others weak values let the photograph through. The scale ends at the 99.9th percentile, what lies beyond shows as
    an arrow. Returns a Figure; raises ValueError.

    >>> figure = viz.attribution(trace, 0, method="quick")
    """
    if isinstance(attributions, Trace):
        wanted = 0 if faithfulness is None else faithfulness
        attributions, faithfulness = attribute(attributions, wanted, method), None
    example = "diagnosis.attribute(trace, 0)"
    maps = several(attributions, Attribution, "viz.attribution", "an Attribution, several, or a Trace", example)
    evidence = _evidence(faithfulness, len(maps))
    if not maps or len(evidence) != len(maps):
        raise ValueError(f"One map or more, and one faithfulness for each, are needed: {len(maps)}, {len(evidence)}.")
    cols = min(len(maps), COLUMNS)
    rows = -(-len(maps) // cols)
    shape = max((one.map.shape for one in maps), key=lambda size: size[0] / size[1])
    alone = DOUBLE if shape[1] >= shape[0] else SINGLE
    with styled(style):
        figure, axes = panels(rows, cols, shape, width or (alone if cols == 1 else DOUBLE))
        for ax in axes.flat[len(maps) :]:
            ax.remove()
        for ax, one, found in zip(axes.flat, maps, evidence, strict=False):
            _draw(figure, ax, one, found, cmap, narrow=cols > 1 or figure.get_figwidth() < DOUBLE)
        foot(figure, _legend(maps, cell), stretch_note(shape[1], shape[0]))
        fit(figure, rows)
        for ax, one in zip(axes.flat, maps, strict=False):
            subject = one.subject
            name = subject.trace.levels[subject.level].name
            outline(ax, corners(subject.box), level_color(name), width=1.2, gid="box")
            if cell:
                cell_marks(ax, cell_boxes(subject.trace, subject.level, subject.row, subject.col), name)
            enlarge(ax, one, cmap)
    return figure


def _evidence(given: Faithfulness | Sequence[Faithfulness] | None, count: int) -> Sequence[Faithfulness | None]:
    """What was given for each map; as many times None where nothing was."""
    if given is None:
        return [None] * count
    return [given] if isinstance(given, Faithfulness) else list(given)


def _draw(
    figure: Picture, ax: Axes, one: Attribution, found: Faithfulness | None, cmap: str | None, narrow: bool
) -> None:
    """One panel: photograph, heat, title, evidence, scale."""
    trace, subject = one.subject.trace, one.subject
    drawn = draw_map(ax, one, cmap)
    where = f"{trace.levels[subject.level].name} cell ({subject.row}, {subject.col})"
    words = METHODS[one.method].words if one.method in METHODS else one.method
    parts = [words, f"{subject.words} = {subject.value:.3g}", where]
    ax.set_title("\n".join(parts) if narrow else ": ".join(parts[:2]) + f", {where}")
    lines = [] if found is None else list(found.words())
    if one.heat.note:
        lines.append(one.heat.note)
    if lines:
        ax.set_xlabel("\n".join(_broken(lines, narrow)), fontsize="small", labelpad=3)
    slim_scale(figure, drawn, ax, one)


def _broken(lines: list[str], narrow: bool) -> list[str]:
    """Sentences on lines of their own where panels are narrow, otherwise two on a line."""
    if narrow:
        return "\n".join(lines).replace(" (", "\n(").replace(", ", ",\n").split("\n")
    return ["; ".join(lines[i : i + 2]) for i in range(0, len(lines), 2)]


def _legend(maps: list[Attribution], cell: bool) -> list[Artist]:
    names = sorted({one.subject.trace.levels[one.subject.level].name for one in maps})
    handles: list[Artist] = [
        Line2D([], [], color=level_color(name), linewidth=1.2, label=f"box of the {name} cell") for name in names
    ]
    if cell:
        handles += [ring(f"the {name} cell explained", level_color(name)) for name in names]
    return handles
