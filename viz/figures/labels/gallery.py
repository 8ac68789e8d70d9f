"""Photographs of several shapes side by side, each as large as its place allows."""

from collections.abc import Iterable, Sequence
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes

from ...canvas.frame import Box
from ...canvas.layout import panels
from ...canvas.photo import photograph
from ...canvas.style import DOUBLE, SINGLE, Picture

LEAST, MOST = 2 / 3, 3 / 2  # width by height of a place: a photograph that is longer leaves a part of it empty
GROUND = "#E4E5E7"  # around a photograph that does not fill its place
LETTERS = 19  # of a legend, an inch
Shape = tuple[int, int]
"""Width and height, px."""


def gallery(shapes: Sequence[Shape], width: float | None) -> tuple[Picture, list[Axes]]:
    """A figure with a place for each photograph, and its axes, line by line; ``width`` in inches.

    All places are alike, so that photographs of several shapes stand in straight lines.
    """
    count = len(shapes)
    ratio = float(np.clip(np.median([across / down for across, down in shapes]), LEAST, MOST))
    columns = count if count <= 2 else min(4 if ratio < 1 else 3, int(np.ceil(np.sqrt(count))))
    rows = -(-count // columns)
    wide = width or (SINGLE if count == 1 and ratio < 1 else DOUBLE)
    figure, axes = panels(rows, columns, (1, ratio), wide)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
        ax.set_box_aspect(1 / ratio)
    for ax in axes.flat[:count]:
        ax.set_facecolor(GROUND)
        ax.set_box_aspect(1 / ratio)
    return figure, list(axes.flat[:count])


def hang(ax: Axes, image: np.ndarray, part: Box | None = None) -> None:
    """Draw a photograph, or a ``part`` of it, xyxy px, into its place in the gallery, as large as it can be."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (0, 0, width, height) if part is None else part
    ratio = 1 / (ax.get_box_aspect() or 1)
    across, down = max(x2 - x1, (y2 - y1) * ratio), max(y2 - y1, (x2 - x1) / ratio)
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    photograph(ax, image, frame=(x - across / 2, y - down / 2, x + across / 2, y + down / 2))
    ax.set_aspect("auto")  # the place has the proportions of what it shows


def lines_of(axes: Sequence[Axes]) -> int:
    """How many lines of panels there are."""
    return max(ax.get_subplotspec().rowspan.stop for ax in axes)  # pyright: ignore[reportOptionalMemberAccess]


def wrapped(sentences: Iterable[str], figure: Picture) -> list[str]:
    """Sentences as lines that are no wider than a figure."""
    letters = int(LETTERS * figure.get_figwidth())
    return [line for sentence in sentences for line in wrap(sentence, letters)]


def short(text: str, most: int = 40) -> str:
    """A text on one line, cut in the middle where it is long, so that the end of a file name stays."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most // 2 - 1]}…{line[-(most - most // 2) :]}"
