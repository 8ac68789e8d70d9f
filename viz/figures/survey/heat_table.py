"""A table of numbers whose cells are coloured by another number."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_hex

from ...canvas.palette import MISSING, ink
from .pieces import short


def heat_table(
    ax: Axes,
    values: np.ndarray,
    texts: Sequence[Sequence[str]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    cmap: str,
    norm: Normalize,
    gid: str = "table",
) -> None:
    """A table (rows, columns) whose cells are coloured by ``values`` and written on; NaN is grey."""
    shown = colormaps[cmap].with_extremes(bad=MISSING)
    drawn = ax.imshow(values, cmap=shown, norm=norm, aspect="auto")
    drawn.set_gid(gid)
    for place, text in np.ndenumerate(np.asarray(texts, dtype=object)):
        row, column = place
        value = values[row, column]
        red, green, blue = (float(part) for part in shown(float(norm(value)))[:3])
        ground = MISSING if np.isnan(value) else to_hex((red, green, blue))
        ax.text(column, row, text, ha="center", va="center", fontsize=6, color=ink(ground), gid=f"cell:{row},{column}")
    ax.set_xticks(range(len(columns)), list(columns))
    ax.set_yticks(range(len(rows)), [short(name) for name in rows])
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    ax.grid(which="minor", color="white", lw=1)
    ax.tick_params(which="minor", length=0)
