"""The frame of a figure around its panels: how large it is, and the room between them."""

import numpy as np
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

from .photo import stretch
from .style import Picture

MARGIN = 0.03  # inches around everything
GAP = 0.02  # between panels, as a part of their size
TOP = 9.0  # inches: the height of a page
ROW = 3.2  # inches: of more rows than fill a page, each has at least so much
SETTLED = 0.5  # px: a height that changes by less needs no other layout


def panels(rows: int, cols: int, shape: tuple[float, float], width: float) -> tuple[Picture, np.ndarray]:
    """A figure ``width`` inches wide with (rows, cols) axes for a photograph of ``shape`` (height, width) px."""
    ratio = shape[1] / (shape[0] * stretch(shape[1], shape[0]))
    figure = Picture(figsize=(width, rows * (width / cols / ratio + 0.8) + 1), layout="compressed")
    room(figure)
    axes = figure.subplots(rows, cols, squeeze=False)
    return figure, axes


def room(figure: Picture, *, across: float | None = GAP, down: float | None = GAP) -> None:
    """Set the room around panels, and between them ``across`` and ``down``; None leaves what the style says."""
    _engine(figure).set(w_pad=MARGIN, h_pad=MARGIN, wspace=across, hspace=down)


def fit(figure: Picture, rows: int = 1) -> None:
    """Set the height of a figure so that its panels, as wide as they can be, leave no empty band; lay it out.

    A figure of a few ``rows`` of panels fits on a page. Call it when all that takes room is in place; placing labels
    needs the final layout and comes after.
    """
    for _ in range(2):
        block = Bbox.union(_lay_out(figure))
        around = [legend.get_window_extent().height for legend in figure.legends]
        needed = (block.height + sum(around)) / figure.dpi + 2 * MARGIN * (1 + len(around)) + 0.06
        height = min(needed, max(TOP, rows * ROW))
        if abs(height - figure.get_figheight()) * figure.dpi < SETTLED:
            return
        figure.set_figheight(height)
    _engine(figure).execute(figure)


def _lay_out(figure: Picture) -> list[Bbox]:
    """Give the axes the places that they will be drawn in; returns the hull of each, its texts included."""
    _engine(figure).execute(figure)
    return [box for ax in figure.axes if (box := ax.get_tightbbox()) is not None]


def _engine(figure: Picture) -> ConstrainedLayoutEngine:
    engine = figure.get_layout_engine()
    if not isinstance(engine, ConstrainedLayoutEngine):
        raise TypeError(f"A figure is laid out by its constraints, but this one has {engine}. Make it with panels().")
    return engine
