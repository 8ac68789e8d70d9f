"""The four figures of a survey that tell most, on one page."""

from typing import Any

from ...canvas.layout import room
from ...canvas.legend import foot
from ...canvas.style import DOUBLE, Picture, Style, styled
from .calibration import histogram, reliability
from .duplicates import rival_table
from .errors import error_bars
from .pieces import level_handles
from .precision import share_bars
from .reasons import reason_bars
from .recall import recall_bars

NOTE = "Objects that were missed count for the level of their best candidate."


def overview(survey: Any, *, width: float | None = None, style: Style = None) -> Picture:
    """Draw recall by level and size, why objects are missed, the errors, and whether confidence can be believed.

    Without labels: what each level detects, how confident, and what it suppresses. Returns a Figure.
    """
    if survey.truth:
        panels = (recall_bars, reason_bars, error_bars, reliability)
    else:
        panels = (recall_bars, share_bars, histogram, rival_table)
    with styled(style):
        figure = Picture(figsize=(width or DOUBLE, 5.6), layout="constrained")
        room(figure, across=0.04, down=0.06)
        axes = figure.subplots(2, 2)
        for draw, ax in zip(panels, axes.flat, strict=True):
            draw(ax, survey)
        whole = "all levels" if survey.truth else ""
        foot(figure, level_handles(survey, whole=whole), [NOTE] if survey.truth else [])
    return figure
