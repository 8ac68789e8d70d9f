"""Values of one level's cells as colour upon the photograph, and their colour scale."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, Normalize
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from anatomy import Trace

from .frame import cell_boxes, cell_edges, corners, vertices
from .palette import MISSING
from .style import Picture

if TYPE_CHECKING:
    from matplotlib.colors import Norm

MISSING_HATCH = "//////"
LEAST, MOST = 0.2, 0.85  # opacity of the weakest and of the strongest cell


def heat_scale(
    heats: Iterable[np.ndarray],
    limits: tuple[float, float] | None = None,
    *,
    low: float | None = None,
    floor: float | None = None,
) -> Normalize:
    """The colour scale of several arrays: from ``low``, or their least value but no less than ``floor``, to their most.

    ``limits`` (low, high) overrides it. NaN and infinities do not count.
    """
    if limits is not None:
        return Normalize(float(limits[0]), float(limits[1]))
    finite = np.concatenate([heat[np.isfinite(heat)] for heat in heats])
    if not len(finite):
        return Normalize(0.0, 1.0)
    if low is None:
        low = max(float(finite.min()), -np.inf if floor is None else floor)
    high = float(finite.max())
    return Normalize(low, high if high > low else low + 1)


def draw_heat(ax: Axes, trace: Trace, level: int, heat: np.ndarray, norm: Normalize, cmap: str | Colormap) -> AxesImage:
    """Draw (h, w) values of a level in their place: weak cells let more of the photograph through than strong ones.

    NaN is hatched grey; infinities lie beyond the ends of the scale. Returns the AxesImage.
    """
    x, y = cell_edges(trace, level)
    low, high = ends(norm)
    reach = high - low
    shown = np.nan_to_num(heat, nan=np.nan, posinf=high + reach, neginf=low - reach)
    missing = np.isnan(heat)
    strength = np.where(missing, 1.0, np.nan_to_num(norm(shown).filled(0)).clip(0, 1))
    drawn = ax.imshow(
        shown,
        cmap=(colormaps[cmap] if isinstance(cmap, str) else cmap).with_extremes(bad=MISSING),
        norm=norm,
        alpha=LEAST + (MOST - LEAST) * strength,
        extent=(x[0], x[-1], y[-1], y[0]),
        interpolation="nearest",
        aspect=ax.get_aspect(),
    )
    drawn.set_gid(f"heat:{trace.levels[level].name}")
    height, width = trace.image.shape[:2]
    ax.set(xlim=(0, width), ylim=(height, 0))
    if missing.any():
        row, col = missing.nonzero()
        _hatch(ax, corners(cell_boxes(trace, np.full(len(row), level), row, col)))
    return drawn


def _hatch(ax: Axes, shapes: np.ndarray) -> None:
    hatched = PolyCollection(vertices(shapes), facecolors="none", edgecolors="black", linewidths=0, hatch=MISSING_HATCH)
    hatched.set_gid("missing")
    ax.add_collection(hatched, autolim=False)


def colour_scale(
    figure: Picture, drawn: AxesImage, ax: Axes | np.ndarray, heats: Iterable[np.ndarray], label: str
) -> Colorbar:
    """The colour bar below one axes or an array of them; an arrow where one of ``heats`` goes beyond its end."""
    extend = arrows(heats, drawn.norm)
    several = isinstance(ax, np.ndarray)
    shape = {"shrink": 0.6, "aspect": 50} if several and ax.shape[1] > 1 else {"shrink": 0.85, "aspect": 20}
    below = ax.ravel().tolist() if several else ax
    bar = figure.colorbar(drawn, ax=below, location="bottom", extend=extend, label=label, pad=0.01, **shape)
    bar.ax.tick_params(pad=1.5)
    bar.locator = MaxNLocator(5 if several else 4)
    bar.formatter = StrMethodFormatter("{x:.3g}")
    bar.update_ticks()
    return bar


def ends(norm: "Norm") -> tuple[float, float]:
    """The values at which a scale begins and ends; raises ValueError where it has none yet."""
    if not isinstance(norm, Normalize) or norm.vmin is None or norm.vmax is None:
        raise ValueError("A scale of colours needs both ends, but one is open. Give Normalize its vmin and vmax.")
    return norm.vmin, norm.vmax


def arrows(heats: Iterable[np.ndarray], norm: "Norm") -> str:
    """Which ends of a scale these values go beyond, in matplotlib's words for ``extend``; NaN goes beyond none."""
    heats, (low, high) = list(heats), ends(norm)
    return arrow_ends(
        below=any(bool((heat < low).any()) for heat in heats),
        above=any(bool((heat > high).any()) for heat in heats),
    )


def arrow_ends(*, below: bool, above: bool) -> str:
    """Matplotlib's word for a colour bar with arrows at these ends."""
    if below and above:
        return "both"
    if below:
        return "min"
    return "max" if above else "neither"
