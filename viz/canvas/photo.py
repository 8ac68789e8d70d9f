"""The photograph in a panel, outlines upon it, and the frame of a figure around such panels."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox
from PIL import Image

from .frame import corners
from .palette import level_color
from .style import Picture

MOST_PIXELS = 2000  # a longer side is shrunk for display; the panel's coordinates stay those of the original
WIDEST, TALLEST = 6.0, 2.5  # a panel is at most so many times wider than tall, or taller than wide
CROWD = 50  # more outlines of one kind than this are drawn thinner
MARGIN = 0.03  # inches around everything
TOP = 9.0  # inches: the height of a page
ROW = 3.2  # inches: of more rows than fill a page, each has at least so much


def photograph(ax: Axes, image: np.ndarray, *, grey: bool = False, frame=None):
    """Draw an (H, W, 3) uint8 RGB image in px of the original; ``grey`` dims it, as a ground for colour.

    ``frame`` xyxy px is what the axes show, the image itself by default. Returns the AxesImage.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (0, 0, width, height) if frame is None else frame
    shown = _shrunk(image)
    if grey:
        shown = shown @ np.array([0.299, 0.587, 0.114])
    drawn = ax.imshow(shown, cmap="gray", vmin=0, vmax=330, extent=(0, width, height, 0), interpolation="antialiased")
    drawn.set_gid("photograph")
    ax.set(xlim=(x1, x2), ylim=(y2, y1), xticks=(), yticks=(), aspect=stretch(x2 - x1, y2 - y1), anchor="C")
    return drawn


def stretch(width: float, height: float) -> float:
    """How much taller than wide a pixel is drawn so that a very long panel stays readable; 1 is to scale."""
    ratio = width / height
    return ratio / WIDEST if ratio > WIDEST else ratio * TALLEST if ratio < 1 / TALLEST else 1.0


def stretch_note(width: float, height: float) -> list[str]:
    """The sentence that says that a panel is not to scale, or nothing."""
    factor = stretch(width, height)
    if factor == 1:
        return []
    side, times = ("height", factor) if factor > 1 else ("width", 1 / factor)
    return [f"Not to scale: {side} drawn {times:.3g} times larger."]


def _dimmed(image: np.ndarray) -> np.ndarray:
    """The photograph as grey values from 0.1 to 0.7, so that colour laid over it stands out on any exposure."""
    grey = image @ np.array([0.299, 0.587, 0.114])
    low, high = np.percentile(grey, (1, 99))
    return 0.1 + 0.6 * ((grey - low) / max(high - low, 1)).clip(0, 1)


def _shrunk(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    if max(height, width) <= MOST_PIXELS:
        return image
    size = (min(width, MOST_PIXELS), min(height, MOST_PIXELS))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def outline(ax: Axes, shapes, color, *, width: float = 1.0, style="-", gid: str | None = None, halo: bool = True):
    """Draw closed outlines, (n, k, 2) xy px, in one colour upon a thin dark or light halo; returns the collection."""
    shapes = np.asarray(shapes, dtype=np.float64)
    width = width if len(shapes) <= CROWD else 0.6 * width
    if halo and style == "-" and len(shapes):
        ax.add_collection(_outlines(shapes, "white", width + 0.8, "-", 0.55), autolim=False)
    drawn = _outlines(shapes, color, width, style, 1.0)
    drawn.set_gid(gid)
    return ax.add_collection(drawn, autolim=False)


def _outlines(shapes, color, width, style, alpha) -> PolyCollection:
    return PolyCollection(
        shapes, closed=True, facecolors="none", edgecolors=color, linewidths=width, linestyles=style, alpha=alpha
    )


def cell_marks(ax: Axes, boxes: np.ndarray, name: str, *, gid: str = "cells"):
    """Mark cells (n, 4) xyxy px of the level ``name``: an outline, and a ring around a few too small to see."""
    color = level_color(name)
    drawn = outline(ax, corners(boxes), color, width=1.0, gid=f"{gid}:{name}")
    if 0 < len(boxes) <= CROWD:
        points = paper_size(ax, boxes[0, 2] - boxes[0, 0])
        if points < 5:
            centre = (boxes[:, :2] + boxes[:, 2:]) / 2
            for shade, line in (("white", 1.5), (color, 0.8)):
                ax.plot(*centre.T, "o", mfc="none", mec=shade, mew=line, ms=7, scalex=False, scaley=False)
    return drawn


def paper_size(ax: Axes, pixels: float) -> float:
    """How many points on paper a horizontal length in px takes, by the layout as it stands."""
    across = ax.get_xlim()
    return pixels / abs(across[1] - across[0]) * ax.get_window_extent().width / ax.figure.dpi * 72


def panels(rows: int, cols: int, shape: tuple[float, float], width: float) -> tuple[Picture, np.ndarray]:
    """A figure ``width`` inches wide with (rows, cols) axes for a photograph of ``shape`` (height, width) px."""
    ratio = shape[1] / (shape[0] * stretch(shape[1], shape[0]))
    figure = Picture(figsize=(width, rows * (width / cols / ratio + 0.8) + 1), layout="compressed")
    figure.get_layout_engine().set(w_pad=MARGIN, h_pad=MARGIN, wspace=0.02, hspace=0.02)
    axes = figure.subplots(rows, cols, squeeze=False)
    return figure, axes


def foot(figure: Picture, handles, notes=()):
    """The legend below all panels, sentences above it; as many columns as the width allows, read row by row.

    Returns None where there is nothing to say.
    """
    if not len(handles) and not len(notes):
        return None
    handles = list(handles) or [Line2D([], [], linestyle="none", label=" ")]
    for columns in range(len(handles), 0, -1):
        legend = figure.legend(
            handles=[handle for first in range(columns) for handle in handles[first::columns]],
            loc="outside lower center",
            ncols=columns,
            title="\n".join(notes) or None,
            borderaxespad=0.2,
            borderpad=0.2,
            columnspacing=1.4,
            handlelength=1.8,
        )
        legend.get_title().set_multialignment("center")
        if legend.get_window_extent().width <= figure.bbox.width:
            break
        if columns > 1:
            legend.remove()
    return legend


def fit(figure: Picture, rows: int = 1) -> None:
    """Set the height of a figure so that its panels, as wide as they can be, leave no empty band; lay it out.

    A figure of a few ``rows`` of panels fits on a page. Call it when all that takes room is in place; placing labels
    needs the final layout and comes after.
    """
    for _ in range(2):
        block = Bbox.union(_lay_out(figure))
        around = [legend.get_window_extent().height for legend in figure.legends]
        needed = (block.height + sum(around)) / figure.dpi + 2 * MARGIN * (1 + len(around)) + 0.06
        figure.set_figheight(min(needed, max(TOP, rows * ROW)))
    _lay_out(figure)


def _lay_out(figure: Picture) -> list[Bbox]:
    """Give the axes the places that they will be drawn in; returns the hull of each, its texts included."""
    figure.get_layout_engine().execute(figure)
    return [box for ax in figure.axes if (box := ax.get_tightbbox()) is not None]
