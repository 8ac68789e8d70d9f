"""The legend below a figure, and the marks that stand in several of them."""

from collections.abc import Sequence
from itertools import chain

from matplotlib.artist import Artist
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

from .style import Picture


def ring(label: str, color: ColorType, size: float = 5) -> Line2D:
    """The mark of a cell, an empty square of this colour, as it stands in a legend; ``size`` in points."""
    return Line2D(
        [], [], color=color, label=label, marker="s", markerfacecolor="none", markersize=size, linestyle="none"
    )


def dot(label: str, color: ColorType) -> Line2D:
    """The mark of an anchor point, as it stands in a legend."""
    return Line2D([], [], color=color, label=label, marker="o", markersize=2, linestyle="none")


def foot(figure: Picture, handles: Sequence[Artist], notes: Sequence[str] = ()) -> Legend | None:
    """The legend below all panels, sentences above it; as many columns as the width allows, read row by row.

    Returns None where there is nothing to say.
    """
    if not len(handles) and not len(notes):
        return None
    handles = list(handles) or [Line2D([], [], linestyle="none", label=" ")]
    legend = None
    for columns in range(len(handles), 0, -1):
        by_row = chain.from_iterable(handles[first::columns] for first in range(columns))
        legend = figure.legend(
            handles=list(by_row),
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


def retitle(figure: Picture, legend: Legend | None, notes: Sequence[str]) -> None:
    """Put other sentences above a legend that ``foot`` has drawn; where it drew none, it does now."""
    if legend is None:
        foot(figure, (), notes)
    else:
        legend.set_title("\n".join(notes))
