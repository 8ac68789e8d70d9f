"""The photograph in a panel, and outlines upon it."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.image import AxesImage
from matplotlib.typing import ColorType, LineStyleType
from numpy.typing import ArrayLike
from PIL import Image

from .frame import Box, corners, vertices
from .palette import level_color

MOST_PIXELS = 2000  # a longer side is shrunk for display; the panel's coordinates stay those of the original
WIDEST, TALLEST = 6.0, 2.5  # a panel is at most so many times wider than tall, or taller than wide
CROWD = 50  # more outlines of one kind than this are drawn thinner
SMALL = 5.0  # points: narrower cells wear a ring


def photograph(ax: Axes, image: np.ndarray, *, grey: bool = False, frame: Box | None = None) -> AxesImage:
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
    if ratio > WIDEST:
        return ratio / WIDEST
    return ratio * TALLEST if ratio < 1 / TALLEST else 1.0


def stretch_note(width: float, height: float) -> list[str]:
    """The sentence that says that a panel is not to scale, or nothing."""
    factor = stretch(width, height)
    if factor == 1:
        return []
    side, times = ("height", factor) if factor > 1 else ("width", 1 / factor)
    return [f"Not to scale: {side} drawn {times:.3g} times larger."]


def _shrunk(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    if max(height, width) <= MOST_PIXELS:
        return image
    size = (min(width, MOST_PIXELS), min(height, MOST_PIXELS))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def outline(
    ax: Axes,
    shapes: ArrayLike,
    color: ColorType,
    *,
    width: float = 1.0,
    style: LineStyleType = "-",
    gid: str | None = None,
    halo: bool = True,
) -> PolyCollection:
    """Draw closed outlines, (n, k, 2) xy px, in one colour upon a thin dark or light halo; returns the collection."""
    shapes = np.asarray(shapes, dtype=np.float64)
    width = width if len(shapes) <= CROWD else 0.6 * width
    if halo and style == "-" and len(shapes):
        ax.add_collection(_outlines(shapes, "white", width + 0.8, "-", 0.55), autolim=False)
    drawn = _outlines(shapes, color, width, style, 1.0)
    drawn.set_gid(gid)
    ax.add_collection(drawn, autolim=False)
    return drawn


def _outlines(shapes: np.ndarray, color: ColorType, width: float, style: LineStyleType, alpha: float) -> PolyCollection:
    return PolyCollection(
        vertices(shapes),
        closed=True,
        facecolors="none",
        edgecolors=color,
        linewidths=width,
        linestyles=style,
        alpha=alpha,
    )


def cell_marks(ax: Axes, boxes: np.ndarray, name: str, *, gid: str = "cells") -> PolyCollection:
    """Mark cells (n, 4) xyxy px of the level ``name``: an outline, and a ring around a few too small to see."""
    color = level_color(name)
    drawn = outline(ax, corners(boxes), color, width=1.0, gid=f"{gid}:{name}")
    few = 0 < len(boxes) <= CROWD
    if few and paper_size(ax, boxes[0, 2] - boxes[0, 0]) < SMALL:
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        for shade, line in (("white", 1.5), (color, 0.8)):
            ax.plot(*centre.T, "o", mfc="none", mec=shade, mew=line, ms=7, scalex=False, scaley=False)
    return drawn


def paper_size(ax: Axes, pixels: float) -> float:
    """How many points on paper a horizontal length in px takes, by the layout as it stands."""
    across = ax.get_xlim()
    return pixels / abs(across[1] - across[0]) * ax.get_window_extent().width / ax.figure.dpi * 72
