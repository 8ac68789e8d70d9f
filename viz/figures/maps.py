"""Many maps on one sheet: each detection enlarged, one scale of colour each."""

from collections.abc import Sequence
from math import ceil

from matplotlib.axes import Axes

from diagnosis import Attribution

from ..canvas.evidence_map import around_box, brief, draw_map
from ..canvas.frame import corners
from ..canvas.palette import level_color
from ..canvas.photo import outline
from ..canvas.style import DOUBLE, Picture, Style, styled

MOST = 6  # columns
LETTERS = 14  # of a class name
EACH, TITLE, FOOT, GAP = 1.5, 0.17, 0.2, 0.05  # inches


def maps(
    attributions: Attribution | Sequence[Attribution],
    *,
    cmap: str | None = None,
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """A sheet of maps, each with its box enlarged to fill a square; above it the class, its score, and the level.

    For the maps of all boxes of a photograph, see ``diagnosis.attribute_all``; ``viz.attribution`` draws few of them
    with their evidence. Every map has a scale of its own, from 0, or as far below 0 as above, to its largest value.
    ``width`` inches, by default 1.5 a column. Returns a Figure; raises ValueError for no map.
    """
    attributions = [attributions] if isinstance(attributions, Attribution) else list(attributions)
    if not attributions:
        raise ValueError("One map or more is needed, but none was given.")
    cols = min(MOST, max(ceil(len(attributions) ** 0.5), 2))
    rows = ceil(len(attributions) / cols)
    width = width or min(EACH * cols, DOUBLE)
    side = (width - GAP * (cols + 1)) / cols
    height = rows * (side + TITLE + GAP) + FOOT
    with styled(style):
        figure = Picture(figsize=(width, height))
        for n, one in enumerate(attributions):
            row, col = divmod(n, cols)
            left, top = GAP + col * (side + GAP), height - (row + 1) * (side + TITLE + GAP) + GAP
            ax = figure.add_axes((left / width, top / height, side / width, side / height))
            _draw(ax, one, cmap)
        words = "Every map on a scale of its own; the box in the colour of its level."
        figure.text(0.5, 0.3 * FOOT / height, words, ha="center", va="bottom", fontsize="small")
    return figure


def _draw(ax: Axes, one: Attribution, cmap: str | None) -> None:
    subject = one.subject
    trace = subject.trace
    draw_map(ax, one, cmap, around_box(subject.box, one.map.shape, 1.0))
    name = trace.levels[subject.level].name
    outline(ax, corners(subject.box), level_color(name), width=1.5, gid="box")
    score = float(trace.scores()[subject.class_id, subject.anchor])
    ax.set_title(f"{brief(trace.names[subject.class_id], LETTERS)} {score:.2f} {name}", fontsize="small")
    if one.heat.note:
        ax.set_xlabel(one.heat.note.split(":")[0], fontsize="x-small", labelpad=-9, color="white")
