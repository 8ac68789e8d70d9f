"""Which level pays which part of the loss, for objects of which size."""

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

import diagnosis
from anatomy import Trace
from diagnosis import SIZES, LossByLevel

from ..canvas.given import of_objects
from ..canvas.layout import room
from ..canvas.legend import foot
from ..canvas.palette import MISSING
from ..canvas.style import DOUBLE, Picture, Style, styled

# Paul Tol, "Colour schemes", muted, from dark to light, https://personal.sron.nl/~pault/; no level has these colours
SIZE_COLORS = dict(zip(SIZES, ("#882255", "#CC6677", "#DDCC77", MISSING), strict=True))
IN_A_ROW = 5  # panels


def loss_by_level(
    result: LossByLevel | Trace,
    boxes: Any = None,
    labels: Any = None,
    *,
    width: float | None = None,
    style: Style = None,
) -> Picture:
    """Draw the loss items as bars, one panel an item, one bar a level, stacked by the size of the objects.

    ``result``: what ``diagnosis.loss_by_level`` returned; or a trace, with ``boxes`` and ``labels`` as that function
    takes them.

    All items share one scale, so that bars can be compared; a last panel counts the positive cells. What no level pays,
    and what was left out, stands below. Returns a Figure.

    >>> figure = viz.loss_by_level(trace, labels)
    """
    paid = partial(diagnosis.loss_by_level, None)  # a trace knows its model
    result = of_objects(result, boxes, labels, LossByLevel, paid, "viz.loss_by_level")
    count = len(result.items) + 1
    rows = 1 if count <= IN_A_ROW else 2
    with styled(style):
        figure = Picture(figsize=(width or DOUBLE, 2.6 if rows == 1 else 4.6), layout="constrained")
        room(figure, across=None, down=None)
        axes = list(figure.subplots(rows, -(-count // rows), squeeze=False).flat)
        most = max(float(result.values.sum(1).max()), 1e-12)
        sums = result.values.sum((0, 1))
        for i, (ax, item) in enumerate(zip(axes, result.items, strict=False)):
            _bars(ax, result, result.values[..., i], "{:.3g}", item)
            ax.set(ylim=(0, 1.12 * most), title=f"{item}: {sums[i]:.3g}")
            ax.tick_params(labelleft=ax.get_subplotspec().is_first_col())
        axes[0].set_ylabel("loss" if result.images == 1 else f"loss, mean of {result.images} images")
        positives = np.where(np.arange(len(SIZES)) < len(SIZES) - 1, result.cells, 0)
        _bars(axes[count - 1], result, positives, "{:.0f}", "cells")
        title = f"positive cells: {positives.sum()}"
        axes[count - 1].set(ylim=(0, 1.12 * max(positives.sum(1).max(), 1)), title=title)
        axes[count - 1].yaxis.get_major_locator().set_params(integer=True)
        for ax in axes[count:]:
            ax.set_axis_off()
        foot(figure, _legend(result), _notes(result))
    return figure


def _notes(result: LossByLevel) -> list[str]:
    """What the bars do not hold, a sentence each."""
    notes = [
        f"{item}: {value:.3g}, paid for the whole picture and by no level." for item, value in result.unplaced.items()
    ]
    return notes + [f"Without {item}: {why}." for item, why in result.left_out.items()]


def _bars(ax: Axes, result: LossByLevel, values: np.ndarray, form: str, gid: str) -> None:
    """One bar a level of ``values`` (levels, sizes), its sum above it."""
    places, base = np.arange(len(values)), np.zeros(len(values))
    for size, column in zip(SIZES, values.T, strict=True):
        ax.bar(
            places, column, bottom=base, width=0.75, color=SIZE_COLORS[size], ec="white", lw=0.4, gid=f"{gid}:{size}"
        )
        base = base + column
    for place, total in zip(places.tolist(), base.tolist(), strict=True):
        text = ax.text(place, total, form.format(total), ha="center", va="bottom", fontsize="small", gid=f"{gid}:sum")
        text.set_in_layout(False)
    ax.set_xticks(places, result.level_names)
    ax.tick_params(bottom=False)
    ax.spines[["top", "right"]].set_visible(False)


def _legend(result: LossByLevel) -> list[Patch]:
    counts = [f"{size}: {count} objects" for size, count in zip(SIZES, result.objects.tolist(), strict=False)]
    counts.append(f"background: {result.cells[:, -1].sum()} cells")
    return [Patch(facecolor=SIZE_COLORS[size], label=label) for size, label in zip(SIZES, counts, strict=True)]
