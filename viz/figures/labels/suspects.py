"""Single labels that look wrong, each on its part of the photograph."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from diagnosis.surveys.photographs.crops import around

from ...canvas.frame import corners
from ...canvas.layout import fit
from ...canvas.legend import foot
from ...canvas.photo import outline
from ...canvas.style import Picture
from .gallery import gallery, hang, lines_of, short

COLORS = {"lacking": "#00C2A8", "class": "#E8112D", "loose": "#7B3FE4"}  # none is that of a level
OTHER = "#000000"
KINDS = {
    "lacking": "seen by the model, without a label",
    "class": "labelled as another class than the model sees",
    "loose": "a box that does not fit what the model sees",
}
Row = Mapping[str, Any]


def draw_suspects(rows: Sequence[Row], pixels: Sequence[np.ndarray], total: int, width: float | None) -> Picture:
    """A panel a suspect, worst first; ``rows`` of ``LabelReport.suspects`` and the photograph of each."""
    figure, axes = gallery([(1, 1)] * len(rows), width)
    for ax, row, image in zip(axes, rows, pixels, strict=True):
        _draw(ax, row, image)
    kinds = dict.fromkeys(row["kind"] for row in rows)
    handles = [
        Line2D([], [], color=COLORS.get(kind, OTHER), linewidth=1.5, label=f"{kind}: {KINDS.get(kind, kind)}")
        for kind in kinds
    ]
    foot(figure, handles, [f"The first {len(rows)} of {total} suspects."] if total > len(rows) else [])
    fit(figure, lines_of(axes))
    return figure


def words(row: Row) -> str:
    """A suspect in two lines: what is at odds with what, and where it stands."""
    sure = "" if row["confidence"] is None else f" {row['confidence']:.2f}"
    told = {
        "lacking": f"no label: {row['class_name']}{sure}",
        "class": f"{row['class_name']}, seen as {row['other']}{sure}",
        "loose": f"{row['class_name']}: loose" + ("" if row["iou"] is None else f", IoU {row['iou']:.2f}"),
    }.get(row["kind"], f"{row['kind']}: {row['class_name']}")
    line = "" if row["line"] is None else f":{row['line']}"
    return f"{short(told, 44)}\n{short(Path(row['image']).name, 34)}{line}"


def _draw(ax: Axes, row: Row, image: np.ndarray) -> None:
    height, width = image.shape[:2]
    box = np.array([[row["x1"], row["y1"], row["x2"], row["y2"]]])
    left, top, side = around(box, width, height)
    hang(ax, image, (left, top, left + side, top + side))
    ax.set_title(words(row))
    outline(ax, corners(box), COLORS.get(row["kind"], OTHER), width=1.6, gid=f"suspect:{row['kind']}")
