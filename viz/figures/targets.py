"""What a target encoder writes into each level, upon the photograph: lit cells, the boxes they hold, the true boxes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike
from torch import Tensor

from anatomy.tracing.overlap import pair_overlaps
from diagnosis import ImageLabels, TargetLayout

from ..canvas.frame import corners, vertices
from ..canvas.layout import fit, panels
from ..canvas.legend import foot
from ..canvas.palette import level_color
from ..canvas.photo import outline, photograph, stretch_note
from ..canvas.style import DOUBLE, SINGLE, Picture, Style, styled
from .target_cells import SHOWN, Written, read_levels

FITS = 0.5  # IoU with a true box from which a decoded one counts as right
TRUE, WRONG = "#FFFFFF", "#E8112D"
GREY = 128


def targets(
    encoded: Sequence[ArrayLike] | ArrayLike,
    layout: TargetLayout,
    image: np.ndarray | None = None,
    boxes: ArrayLike | ImageLabels | None = None,
    *,
    image_size: tuple[int, int] | None = None,
    title: str | None = None,
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw an encoder's output, one panel a level, so that a scrambled one shows at a glance.

    ``encoded``: one tensor or array a level, or one for all, stored and read as ``layout`` says; ``image`` (H, W, 3)
    uint8 RGB, or ``image_size`` (height, width) px for a blank one; ``boxes`` (n, 4) xyxy px, the true ones, or the
    image's ``ImageLabels``. Each cell has the colour of its level, stronger the larger its objectness or class (of its
    anchors the strongest); the boxes that the lit cells hold, one an anchor, are drawn through, in red where no true
    box has an IoU of 0.5 with them, with a line from the cell's point to its box. Cells beyond the image are shown
    where they lie. ``title`` stands at the left, for figures that go below one another. Returns a Figure; raises
    ValueError for levels that do not fit the layout.
    """
    if not isinstance(layout, TargetLayout) or not isinstance(encoded, Sequence | np.ndarray | Tensor):
        raise TypeError(
            f"viz.targets takes one array a level and a TargetLayout, but a {type(encoded).__name__} and a "
            f"{type(layout).__name__} were given. Example: viz.targets(encode(boxes, labels, size), layout, image)."
        )
    found = read_levels(encoded, layout, image_size if image is None else image.shape[:2])
    covered = [np.array(level.strength.shape) * stride for level, stride in zip(found, layout.strides, strict=True)]
    height, across = (int(side) for side in (covered[0] if image_size is None else image_size))
    height, across = (height, across) if image is None else image.shape[:2]
    image = np.full((height, across, 3), GREY, np.uint8) if image is None else image
    boxes = boxes.boxes(across, height) if isinstance(boxes, ImageLabels) else boxes
    truth = None if boxes is None else np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    bottom, right = np.max(np.array([(height, across), *covered]), 0).tolist()
    with styled(style):
        figure, axes = panels(1, len(found), (bottom, right), width or (SINGLE if len(found) == 1 else DOUBLE))
        wrong = 0
        for ax, level in zip(axes[0], found, strict=True):
            photograph(ax, image, grey=True, frame=(0, 0, right, bottom))
            ax.set_facecolor("#E4E4E4")
            bad = _draw(ax, level, truth)
            wrong += bad
            _title(ax, level, bad, truth)
        if title:
            axes[0, 0].set_ylabel(title)
        lit = sum(len(level.boxes) for level in found)
        foot(figure, _legend(layout, truth, wrong, lit), stretch_note(right, bottom))
        fit(figure)
    return figure


def _draw(ax: Axes, level: Written, truth: np.ndarray | None) -> int:
    """Cells, true boxes, decoded boxes and the way from cell to box; returns how many boxes fit no object."""
    name, boxes, points = level.name, level.boxes, level.points
    _draw_cells(ax, level)
    bad = np.zeros(len(boxes), bool)
    if truth is not None:
        bad = ~(pair_overlaps(boxes, truth) >= FITS).any(1)
        outline(ax, corners(truth), "black", width=1.8, gid="true-ground", halo=False)
        outline(ax, corners(truth), TRUE, width=1.0, gid="true", halo=False)
    for chosen, color, what in ((~bad, level_color(name), "fits"), (bad, WRONG, "wrong")):
        outline(ax, corners(boxes[chosen]), color, width=0.8, gid=f"{what}:{name}", halo=False)
        ways = np.stack((points[chosen], (boxes[chosen, :2] + boxes[chosen, 2:]) / 2), 1)
        lines = LineCollection(vertices(ways), colors=color, linewidths=0.5)
        lines.set_gid(f"way:{what}:{name}")
        ax.add_collection(lines, autolim=False)
    return int(bad.sum())


def _draw_cells(ax: Axes, level: Written) -> None:
    """Every cell in the colour of its level, the stronger its value."""
    strong = level.strength > SHOWN
    opacity = 0.15 + 0.75 * level.strength[strong].clip(0, 1)
    colors = [to_rgba(level_color(level.name), value) for value in opacity.tolist()]
    cells = PolyCollection(vertices(corners(level.cells[strong])), facecolors=colors, lw=0)
    cells.set_gid(f"cells:{level.name}")
    ax.add_collection(cells, autolim=False)


def _title(ax: Axes, level: Written, bad: int, truth: np.ndarray | None) -> None:
    rows, columns = level.strength.shape
    words = f"{level.name}: {rows} × {columns} cells, {len(level.boxes)} lit"
    ax.set_title(words if truth is None else f"{words}, {bad} wrong")
    for spine in ax.spines.values():
        spine.set(color=level_color(level.name), linewidth=1.4)


def _legend(layout: TargetLayout, truth: np.ndarray | None, wrong: int, lit: int) -> list[Artist]:
    what = "largest class" if layout.objectness is None else "objectness"
    handles: list[Artist] = [Patch(facecolor="0.5", label=f"cell, the stronger its {what}")]
    handles.append(Line2D([], [], color="0.5", linewidth=0.8, label=f"box that a lit cell holds: {lit}"))
    if truth is not None:
        handles.append(Line2D([], [], color=WRONG, linewidth=0.8, label=f"and that fits no object: {wrong}"))
        handles.append(Line2D([], [], color="0.8", linewidth=1.3, label=f"true box: {len(truth)} (white)"))
    return handles
