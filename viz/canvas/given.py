"""What figures are given: the object that they draw, or what it can be computed from; anything else is refused."""

from collections.abc import Callable, Iterable
from os import PathLike
from typing import Any, TypeVar

from torch import nn

from anatomy import Trace
from anatomy.arguments import refused
from anatomy.families.registry import plain_network
from anatomy.tracing.doors import check_trace
from diagnosis import Survey

Made = TypeVar("Made")


def one_trace(value: Any, call: str, more: str = "") -> Trace:
    """A trace as it is; TypeError, with an example, for anything else."""
    return check_trace(value, call, more)


def a_network(value: Any, call: str, takes: str) -> Any:
    """A model as it is; TypeError, with an example, for what neither is nor holds a network."""
    if isinstance(plain_network(value), nn.Module):
        return value
    raise refused(call, takes, value, f"{call}(model)")


def several(value: Any, kind: type[Made], call: str, takes: str, example: str) -> list[Made]:
    """One or several of a kind as a list; TypeError, with an example of one, for anything else."""
    given = [value] if isinstance(value, kind) else value
    if isinstance(given, Iterable) and not isinstance(given, str | nn.Module):
        given = list(given)
        if all(isinstance(one, kind) for one in given):
            return given
    raise refused(call, takes, value, f"{call}({example})")


def of_objects(value: Any, boxes: Any, labels: Any, kind: type[Made], compute: Callable[..., Made], call: str) -> Made:
    """A result as it is; of a trace and labelled objects what ``compute`` makes of them; else TypeError, with an
    example."""
    if isinstance(value, kind) and boxes is None and labels is None:
        return value
    if isinstance(value, Trace) and boxes is not None:
        return compute(value, boxes, labels)
    takes = f"a {kind.__name__} alone, or a Trace with labelled objects"
    example = f"{call}(trace, 'labels/photo.txt')"
    if isinstance(value, Trace):
        raise TypeError(f"{call} takes {takes}, but no objects were given. Example: {example}.")
    raise refused(call, takes, value, example)


def a_survey(value: Any, call: str) -> Any:
    """A survey, or what answers as one does, or the one in a folder; TypeError, with an example, for anything else."""
    if all(hasattr(value, question) for question in ("truth", "recall", "reasons")):
        return value
    if isinstance(value, str | PathLike):
        return Survey(str(value))
    raise refused(call, "a Survey, or the folder of one", value, f"{call}(diagnosis.survey(model, data, 'out'))")
