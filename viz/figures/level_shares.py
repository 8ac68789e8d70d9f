"""Which levels each decoder layer looked at, detection by detection."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from anatomy import LevelShares, whole_number

from ..canvas.layout import room
from ..canvas.legend import foot
from ..canvas.palette import level_color
from ..canvas.style import DOUBLE, Picture, Style, styled

SHOWN = 12  # detections, unless they are chosen


def level_shares(
    shares: LevelShares, detections: Iterable[int] | None = None, *, width: float | None = None, style: Style = None
) -> Picture:
    """Draw ``anatomy.level_shares``: one panel a decoder layer, one bar a detection, parted by level.

    ``detections``: indices, by default the first twelve. Beside each bar: class, confidence, and the level, row and
    column at which its query began. Returns a Figure; raises IndexError for a detection that does not exist, ValueError
    where there is none to draw.
    """
    chosen = _chosen(len(shares), detections)
    layers = shares.shares.shape[1]
    with styled(style):
        figure = Picture(figsize=(width or DOUBLE, 1.4 + 0.22 * len(chosen)), layout="constrained")
        room(figure)
        axes = figure.subplots(1, layers, sharey=True, squeeze=False)[0]
        for layer, ax in enumerate(axes):
            _draw(ax, shares, chosen, layer)
        axes[0].set_yticks(range(len(chosen)), [_words(shares, i) for i in chosen])
        axes[0].invert_yaxis()
        handles = [Patch(color=level_color(name), label=name) for name in shares.levels]
        foot(figure, handles, [f"Shares of the attention of each decoder layer; layer {layers - 1} predicts."])
    return figure


def _chosen(count: int, detections: Iterable[int] | None) -> list[int]:
    """Indices of the detections to draw."""
    given = range(min(count, SHOWN)) if detections is None else detections
    chosen = [whole_number(i, "A detection, given by its index,") for i in given]
    for i in chosen:
        if not 0 <= i < count:
            raise IndexError(f"Detection {i} does not exist: this image has {count}, numbered from 0.")
    if not chosen:
        raise ValueError("At least one detection is needed, but there is none. Trace with a lower conf.")
    return chosen


def _draw(ax: Axes, shares: LevelShares, chosen: list[int], layer: int) -> None:
    """The bars of one layer, parted by level."""
    places, start = np.arange(len(chosen)), np.zeros(len(chosen))
    for at, name in enumerate(shares.levels):
        part = shares.shares[chosen, layer, at]
        ax.barh(places, part, left=start, height=0.8, color=level_color(name), gid=f"layer {layer}:{name}")
        start = start + part
    ax.set(xlim=(0, 1), xticks=(0, 0.5, 1), xticklabels=("0", "½", "1"))
    ax.set_title(f"layer {layer}")


def _words(shares: LevelShares, i: int) -> str:
    found = shares.detections
    place = f"{found.level_name[i]} ({found.row[i]}, {found.col[i]})"
    return f"{i}: {found.class_name[i]} {found.confidence[i]:.2f}, {place}"
