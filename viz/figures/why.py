"""Why this box: what decides its class, what each of its edges, and which levels could have made it."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from diagnosis import VERDICTS, Attribution, LevelEvidence

from ..canvas.evidence_map import around_box, brief, draw_map, laid
from ..canvas.frame import cell_boxes, corners, vertices
from ..canvas.heat import MOST
from ..canvas.palette import level_color
from ..canvas.photo import cell_marks, outline, photograph
from ..canvas.style import SINGLE, Picture, Style, styled

# Paul Tol, "Colour Schemes", https://sronpersonalpages.nl/~pault/, bright; none is that of a level
EDGE_COLORS = {"left": "#4477AA", "top": "#EE6677", "right": "#CCBB44", "bottom": "#AA3377"}
ENDS = {"left": (0, 3), "top": (0, 1), "right": (1, 2), "bottom": (2, 3)}  # of the edges, among the corners of a box
FLATTEST, TALLEST = 0.7, 1.2  # height of a panel by its width
BAR = 0.14  # inches: height of a level's bar
LETTERS = 16  # of a class name
QUIET = 0.05  # of an edge's largest value: what is below is not drawn


def why(
    maps: Attribution | Sequence[Attribution],
    evidence: LevelEvidence | None = None,
    *,
    cmap: str | None = None,
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw one detection, enlarged: the map of its class, beside it that of its edges, and a bar a level below.

    ``maps`` of ``diagnosis.attribute_parts``: a class, then edges. In the panel of edges every pixel has the colour of
    the edge that it moves most, each by its own scale. ``evidence`` of ``diagnosis.level_evidence`` for the same
    detection: the bars are the best score of its class at its place on each level, the sentence says what takes its
    place without the level that made it. ``width`` inches, by default one column. Returns a Figure; raises ValueError.
    """
    first, edges = _sorted(maps)
    at = _position(first, evidence)
    size = first.map.shape
    box = first.subject.box
    wide, tall = np.maximum(box[2:] - box[:2], 1)
    frame = around_box(box, size, float(np.clip(tall / wide, FLATTEST, TALLEST)))
    with styled(style):
        levels = first.subject.trace.levels if evidence is not None else ()
        figure, axes = _panels(frame, bool(edges), len(levels), width or SINGLE)
        draw_map(axes[0], first, cmap, frame)
        axes[0].set_title(f"its class: {brief(first.subject.trace.names[first.subject.class_id], LETTERS)}")
        _marked(axes[0], first)
        if edges:
            _draw_edges(axes[1], edges, frame)
        if evidence is not None:
            _draw_levels(axes[-1], evidence, at)
    return figure


def _sorted(maps: Attribution | Sequence[Attribution]) -> tuple[Attribution, list[Attribution]]:
    """The map of a class, and those of edges; ValueError for any other, and where they are of several cells."""
    maps = [maps] if isinstance(maps, Attribution) else list(maps)
    kinds = [one.subject.what for one in maps]
    cells = {(id(one.subject.trace), one.subject.anchor) for one in maps}
    classes, edges = kinds[:1], kinds[1:]
    fits = classes and classes[0] in ("logit", "score", "difference") and all(what in EDGE_COLORS for what in edges)
    if not fits or len(cells) != 1:
        raise ValueError(
            "maps must be one of a class and then those of edges, of one cell, as diagnosis.attribute_parts makes them,"
            f" but {', '.join(kinds) or 'none'} of {len(cells)} cells was given."
        )
    return maps[0], maps[1:]


def _position(first: Attribution, evidence: LevelEvidence | None) -> int:
    """Where the detection stands in the evidence; ValueError where that is of others."""
    if evidence is None:
        return 0
    anchors = [int(evidence.trace.detections.anchor[i]) for i in evidence.detections]
    if evidence.trace is not first.subject.trace or first.subject.anchor not in anchors:
        raise ValueError(
            f"evidence must be of the detection that the maps explain, anchor {first.subject.anchor}, but it is of "
            f"{len(anchors)} others. Make it with diagnosis.level_evidence(trace, i)."
        )
    return anchors.index(first.subject.anchor)


def _panels(frame: np.ndarray, edges: bool, levels: int, width: float) -> tuple[Picture, list[Axes]]:
    cols = 1 + edges
    panel = (width / cols) * (frame[3] - frame[1]) / (frame[2] - frame[0])
    below = [0.32 + BAR * levels] if levels else []
    figure = Picture(figsize=(width, panel + 0.42 + sum(below)), layout="constrained")
    grid = figure.add_gridspec(1 + len(below), cols, height_ratios=[panel + 0.2, *below])
    axes = [figure.add_subplot(grid[0, col]) for col in range(cols)]
    return figure, axes + [figure.add_subplot(grid[1, :]) for _ in below]


def _marked(ax: Axes, one: Attribution) -> None:
    """Box and cell in the colour of their level."""
    subject = one.subject
    name = subject.trace.levels[subject.level].name
    outline(ax, corners(subject.box), level_color(name), width=1.5, gid="box")
    cell_marks(ax, cell_boxes(subject.trace, subject.level, subject.row, subject.col), name)


def _draw_edges(ax: Axes, edges: Sequence[Attribution], frame: np.ndarray) -> None:
    """Every pixel in the colour of the edge that it moves most, and the edges in theirs."""
    photograph(ax, edges[0].subject.trace.image, grey=True, frame=frame)
    sizes = np.array([_scaled(one.map) for one in edges])
    colors = np.array([to_rgba(EDGE_COLORS[one.subject.what]) for one in edges])
    most = sizes.max(0)
    shown = colors[sizes.argmax(0)]
    shown[..., 3] = np.where(most > QUIET, MOST * most, 0)
    laid(ax, shown, None, most.shape, frame).set_gid("edges")
    shape = corners(edges[0].subject.box)[0]
    kinds = [one.subject.what for one in edges]
    lines = LineCollection(
        vertices(np.array([shape[list(ENDS[what])] for what in kinds])),
        colors=[EDGE_COLORS[what] for what in kinds],
        linewidths=2.2,
    )
    lines.set_gid("sides")
    ax.add_collection(lines, autolim=False)
    ax.set_title("its edges, by colour")


def _scaled(values: np.ndarray) -> np.ndarray:
    size = np.abs(values)
    return size / (size.max() or 1)


def _draw_levels(ax: Axes, evidence: LevelEvidence, at: int) -> None:
    """A bar a level: the best score of the class at this place; the sentence below tells the verdict."""
    trace, i = evidence.trace, evidence.detections[at]
    names = [level.name for level in trace.levels]
    scores = evidence.strongest()[at]
    bars = ax.barh(names, scores, color=[level_color(name) for name in names], height=0.8)
    for bar, name in zip(bars, names, strict=True):
        bar.set_gid(f"level:{name}")
    mine = str(trace.detections.level_name[i])
    for row, (name, score) in enumerate(zip(names, scores, strict=True)):
        made = " made it" if name == mine else ""
        ax.text(score + 0.01, row, f"{score:.2f}{made}", va="center", fontsize="small")
    ax.set(xlim=(0, 1.25), ylim=(len(names) - 0.5, -0.5), xticks=())
    ax.tick_params(length=0)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    verdict = evidence.verdicts[at]["level"]
    ax.set_xlabel(f"without {mine}: {verdict}, {VERDICTS[verdict]}", fontsize="small", labelpad=1)
