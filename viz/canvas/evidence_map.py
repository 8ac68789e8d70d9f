"""A map of attribution upon the photograph, whole or near a box, and its slim colour scale."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, Normalize
from matplotlib.image import AxesImage

from diagnosis import Attribution

from .frame import Box, corners
from .heat import LEAST, MOST, arrows, ends
from .palette import level_color
from .photo import MOST_PIXELS, outline, photograph
from .style import Picture

PEAK = 99.9  # percentile of the size of the values at which the scale ends
INSET = 0.5  # of the panel's sides: a small object enlarged
SMALL = 0.3  # of the photograph's sides, that an object with its surroundings has at most to be enlarged
AROUND = 1.0  # sides of a box that are shown around it


def draw_map(
    ax: Axes, one: Attribution, cmap: str | None, frame: Box | None = None, gid: str = "attribution"
) -> AxesImage:
    """Draw photograph and map in px of the original; ``frame`` xyxy px is what the axes show. Returns the AxesImage."""
    photograph(ax, one.subject.trace.image, grey=True, frame=frame)
    height, width = one.map.shape
    values = one.map if frame is not None else _thinned(one.map)
    norm = map_norm(one.map, one.signed)
    strength = abs(2 * norm(values) - 1) if one.signed else norm(values)
    drawn = laid(ax, values, opacity(np.asarray(strength)), (height, width), frame)
    drawn.set(cmap=colormaps[cmap or ("RdBu_r" if one.signed else "magma")], norm=norm, gid=gid)
    return drawn


def laid(ax: Axes, values: np.ndarray, alpha: np.ndarray | None, size: tuple[int, int], frame: Box | None) -> AxesImage:
    """Values or colours over a photograph of ``size`` (height, width) px, whose axes go on showing ``frame``."""
    height, width = size
    extent = (0, width, height, 0)
    drawn = ax.imshow(values, alpha=alpha, extent=extent, interpolation="nearest", aspect=ax.get_aspect())
    x1, y1, x2, y2 = (0, 0, width, height) if frame is None else frame
    ax.set(xlim=(x1, x2), ylim=(y2, y1))
    return drawn


def opacity(strength: np.ndarray) -> np.ndarray:
    """How much a value of strength 0 to 1 covers of the photograph."""
    return LEAST + (MOST - LEAST) * strength.clip(0, 1) ** 0.5


def map_norm(values: np.ndarray, signed: bool) -> Normalize:
    """From 0 to a high percentile, or as far below 0 as above; the small rest goes beyond the ends."""
    seen = np.abs(values[values != 0])
    most = float(np.percentile(seen, PEAK)) if len(seen) else 1.0
    if signed:
        norm = CenteredNorm(0.0, most)
        norm.vmin, norm.vmax = -most, most
        return norm
    return Normalize(0.0, most)


def slim_scale(figure: Picture, drawn: AxesImage, ax: Axes, one: Attribution) -> None:
    """A colour bar that does not outweigh the map: half as wide, and numbers at its ends alone."""
    low, high = ends(drawn.norm)
    extend = arrows([one.map], drawn.norm)
    bar = figure.colorbar(drawn, ax=ax, location="bottom", extend=extend, pad=0.01, shrink=0.5, aspect=40)
    bar.set_ticks([low, high], labels=[f"{low:.2g}", f"{high:.2g}"])
    bar.ax.tick_params(pad=1, length=1.5, labelsize="x-small")
    bar.set_label(one.unit, fontsize="x-small", labelpad=1)


def around_box(box: np.ndarray, size: tuple[int, int], ratio: float, sides: float = AROUND) -> np.ndarray:
    """A frame xyxy px of a photograph of ``size`` (height, width): a box with so many of its sides around it.

    ``ratio``: height of the frame by its width, kept where the photograph is large enough, inside which it lies.
    """
    x1, y1, x2, y2 = np.asarray(box, dtype=np.float64)
    width = max((x2 - x1) * (1 + 2 * sides), (y2 - y1) * (1 + 2 * sides) / ratio, 8.0)
    shape = np.minimum([width, width * ratio], size[::-1])
    low = np.clip([(x1 + x2) / 2, (y1 + y2) / 2] - shape / 2, 0, size[::-1] - shape)
    return np.concatenate((low, low + shape))


def enlarge(ax: Axes, one: Attribution, cmap: str | None) -> Axes | None:
    """The object once more, enlarged in the corner that is farthest from it, where it is small; None where it is not.

    Call it when the panel is done.
    """
    height, width = one.map.shape
    frame = around_box(one.subject.box, (height, width), height / width)
    if (frame[2] - frame[0]) > SMALL * width:
        return None
    middle = (frame[:2] + frame[2:]) / 2
    right, lower = middle[0] < width / 2, middle[1] < height / 2
    inset = ax.inset_axes((1 - INSET if right else 0, 0 if lower else 1 - INSET, INSET, INSET))
    draw_map(inset, one, cmap, frame, gid="enlarged")
    color = level_color(one.subject.trace.levels[one.subject.level].name)
    outline(inset, corners(one.subject.box), color, width=1.2, gid="enlarged:box")
    for side in inset.spines.values():
        side.set(color=color, linewidth=1.2)
    outline(ax, corners(frame), color, width=0.6, style=":", gid="enlarged:frame")
    return inset


def brief(name: str, most: int) -> str:
    """A class name on one line of a narrow panel, cut where it has more than ``most`` letters."""
    line = " ".join(name.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _thinned(values: np.ndarray) -> np.ndarray:
    pace = max(-(-max(values.shape) // MOST_PIXELS), 1)
    return values[::pace, ::pace]
