"""Receptive fields upon the photograph: what a cell can see, where it looks, and the box that it predicts."""

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from anatomy import ReceptiveField

from ..canvas.frame import corners, input_frame
from ..canvas.given import several
from ..canvas.heat import colour_scale
from ..canvas.layout import fit, panels
from ..canvas.legend import foot
from ..canvas.palette import MISSING, level_color
from ..canvas.photo import outline, photograph, stretch_note
from ..canvas.style import DOUBLE, SINGLE, Picture, Style, styled

GRAIN = 64  # the gradient is summed over blocks, so many along the longer side, as single px only flicker
STRONG = 0.99  # the share of blocks below the top of the colour scale
SEES, LOOKS, POINT, CENTER = ":", "--", "+", "o"


def receptive_field(
    field: ReceptiveField | Sequence[ReceptiveField],
    *,
    cmap: str = "magma",
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw one receptive field, or several side by side, upon the first image that it was measured on.

    Heat: the sensitivity summed over blocks of px, relative to one of the strongest of its panel, its colour growing
    with the square root; dotted: what the cell can see, where that ends within the input; dashed: the part that it
    looks at; solid, in the colour of its level: the boxes that it predicts. Returns a Figure; raises ValueError for no
    field.

    >>> figure = viz.receptive_field(anatomy.receptive_field(model, "P4", images=photo, imgsz=64))
    """
    example = "anatomy.receptive_field(model, 'P4', images='photo.jpg')"
    fields = several(field, ReceptiveField, "viz.receptive_field", "a ReceptiveField or several", example)
    if not fields:
        raise ValueError("At least one receptive field is needed, but the sequence is empty.")
    frames = [input_frame(one.images[0]) for one in fields]
    shape = max(((box[3] - box[1], box[2] - box[0]) for box in frames), key=lambda size: size[0] / size[1])
    heats = [_blocks(one) for one in fields]
    norm = PowerNorm(0.5, 0.0, 1.0)
    with styled(style):
        figure, axes = panels(1, len(fields), shape, width or (SINGLE if len(fields) == 1 else DOUBLE))
        for ax, one, frame, heat in zip(axes[0], fields, frames, heats, strict=True):
            ax.set_facecolor(MISSING)
            photograph(ax, one.images[0].image, grey=True, frame=frame)
            drawn = _heat(ax, heat, frame, norm, cmap)
            _outlines(ax, one)
            ax.set_title(_words(one, lines=2 if len(fields) == 1 else 4))
        colour_scale(figure, drawn, axes, heats, "sensitivity, of a strong block of px in the panel = 1")
        foot(figure, _legend(fields), stretch_note(shape[1], shape[0]))
        fit(figure)
    return figure


def _blocks(field: ReceptiveField) -> np.ndarray:
    """The sensitivity summed over blocks of px, at most ``GRAIN`` along the longer side, over that of a strong one."""
    height, width = field.sensitivity.shape
    shrink = max(height, width) / min(GRAIN, max(height, width))
    size = (max(round(width / shrink), 1), max(round(height / shrink), 1))
    blocks = cv2.resize(field.sensitivity.astype(np.float64), size, interpolation=cv2.INTER_AREA)
    return blocks / (np.quantile(blocks, STRONG) or blocks.max())


def _heat(ax: Axes, heat: np.ndarray, frame: np.ndarray, norm: Normalize, cmap: str) -> AxesImage:
    left, top, right, bottom = frame
    strength = norm(heat).filled(0).clip(0, 1)
    drawn = ax.imshow(
        heat,
        cmap=cmap,
        norm=norm,
        alpha=0.85 * strength,
        extent=(left, right, bottom, top),
        interpolation="nearest",
        aspect=ax.get_aspect(),
    )
    drawn.set_gid("sensitivity")
    ax.set(xlim=(left, right), ylim=(bottom, top))
    return drawn


def _outlines(ax: Axes, field: ReceptiveField) -> None:
    back = field.images[0].letterbox.to_original
    color = level_color(field.level.name)
    if np.isfinite(field.theoretical).all():
        outline(ax, corners(back(field.theoretical)), "white", style=SEES, width=1.2, gid="theoretical")
    outline(ax, corners(back(field.extent)), "white", style=LOOKS, width=1.2, gid="extent")
    outline(ax, corners(back(field.boxes)), color, gid="boxes")
    for place, mark, shade, gid in ((field.point, POINT, color, "point"), (field.center, CENTER, "white", "center")):
        for ink, weight in (("black", 2.4), (shade, 1.2)):
            (drawn,) = ax.plot(*back(place), mark, mfc="none", mec=ink, mew=weight, ms=7, scalex=False, scaley=False)
        drawn.set_gid(gid)


def _words(field: ReceptiveField, lines: int) -> str:
    looks, shift = field.extent[2:] - field.extent[:2], field.shift
    seen = field.theoretical[2:] - field.theoretical[:2]
    sees = "{:.0f} × {:.0f} px".format(*seen) if np.isfinite(seen).all() else "the whole image"
    words = (
        f"{field.level.name} cell ({field.row}, {field.col}):",
        f"can see {sees},",
        f"looks at {looks[0]:.0f} × {looks[1]:.0f} px,",
        f"{shift[0]:+.1f}, {shift[1]:+.1f} px off",
    )
    breaks = {2: (" ", "\n", " "), 4: ("\n", "\n", "\n")}[lines]
    return "".join(word + end for word, end in zip(words, (*breaks, ""), strict=True))


def _legend(fields: Sequence[ReceptiveField]) -> list[Line2D]:
    grey = "dimgrey"
    levels = dict.fromkeys(field.level.name for field in fields)
    handles = [Line2D([], [], color=level_color(name), label=f"box of the {name} cell") for name in levels]
    handles += [
        Line2D([], [], color=grey, linestyle=LOOKS, label=f"middle {fields[0].share:.0%} of the sensitivity"),
        Line2D([], [], color=grey, linestyle=SEES, label="all that the cell can see"),
        Line2D([], [], color=grey, marker=POINT, linestyle="none", label="anchor point"),
        Line2D([], [], color=grey, marker=CENTER, mfc="none", linestyle="none", label="centre of the sensitivity"),
    ]
    return handles
