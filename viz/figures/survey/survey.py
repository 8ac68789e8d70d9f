"""One figure about a whole data set, by the name of its question."""

from collections.abc import Callable
from typing import Any

from ...canvas.given import a_survey
from ...canvas.style import Picture, Style
from .calibration import calibration
from .compare import compare
from .duplicates import duplicates
from .errors import errors
from .overview import overview
from .precision import precision
from .reasons import reasons
from .recall import recall
from .rescue import rescue
from .worth import worth

FIGURES: dict[str, Callable[..., Picture]] = {
    "overview": overview,
    "recall": recall,
    "precision": precision,
    "calibration": calibration,
    "errors": errors,
    "duplicates": duplicates,
    "reasons": reasons,
    "rescue": rescue,
    "worth": worth,
    "compare": compare,
}


def survey(
    survey: Any, what: str = "overview", *, after: Any = None, width: float | None = None, style: Style = None
) -> Picture:
    """Draw one question about a survey (``diagnosis.survey``), or about that in a folder.

    ``what``: "overview"; "recall" by level and size, and the classes that are missed most; "precision" by level;
    "calibration"; "errors" by kind and level; "duplicates" by both levels; "reasons" why objects are missed; "rescue",
    what a lower threshold would bring; "worth" of levels and class rows, of a survey with ablation; "compare" with the
    survey ``after`` of the same set. What a survey does not hold is said in its place. Returns a Figure; raises
    ValueError for another ``what``, and where ``after`` is missing or too much.
    """
    if what not in FIGURES:
        raise ValueError(f"what must be one of {', '.join(map(repr, FIGURES))}, but {what!r} was given.")
    if (what == "compare") != (after is not None):
        raise ValueError(
            "what='compare' draws two surveys of one set, and nothing else does: give the second one as after=… with "
            f"what='compare'; what was {what!r}, and after was {'missing' if after is None else 'given'}."
        )
    survey = a_survey(survey, "viz.survey")
    if after is not None:
        after = a_survey(after, "viz.survey")
        return compare(survey, after, width=width, style=style)
    return FIGURES[what](survey, width=width, style=style)
