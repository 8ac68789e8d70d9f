"""The door of every function that takes a trace."""

from typing import Any

from ..arguments import refused
from .trace import Trace


def check_trace(value: Any, call: str, more: str = "") -> Trace:
    """A trace as it is; TypeError, with an example, for anything else.

    ``call``: the function, as it is written; ``more``: what it is given beside the trace, in the example.
    """
    if isinstance(value, Trace):
        return value
    raise refused(call, "a Trace", value, f"{call}(anatomy.trace(model, 'photo.jpg'){more})")
