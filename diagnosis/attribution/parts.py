"""Class and box of one detection explained beside each other: what decides the class, and what each edge."""

from typing import Any

from anatomy import Trace

from .methods import NAMED, attribute, attribute_all
from .result import Attribution
from .subject import EDGES, Wanted, subject

EDGE_BUDGET = 4.0  # predicts for each edge: all four are read from the same passes


def attribute_parts(
    trace: Trace, detection: Wanted = 0, method: str = "default", **options: Any
) -> tuple[Attribution, ...]:
    """The maps of the five numbers that make a detection: its class, then its left, top, right and lower edge.

    ``detection``, ``method`` and ``options`` as ``attribute`` takes them. By the default the edges share a window and
    have 4 predicts each, or a quarter each of a ``budget`` that is given, so that all of them cost what the class
    does. Raises what ``attribute`` raises, UnsupportedModelError also for a head whose boxes are not decoded step by
    step.
    """
    first = attribute(trace, detection, method, **options)
    edges = [subject(trace, detection, what) for what in EDGES]
    if NAMED.get(method, (method,))[0] == "multiscale":
        preset = NAMED.get(method, ("", {}))[1]
        most = options.get("budget", preset.get("budget"))
        options = {**options, "budget": EDGE_BUDGET if most is None else most / len(EDGES)}
    return (first, *attribute_all(trace, edges, method, **options))
