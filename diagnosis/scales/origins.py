"""Where NaN, or an infinity that does harm, comes from: back from where it shows to the layer that made it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from .listen import Listener, Row
from .result import Origin


class Told(NamedTuple):
    """A ``Measure`` on the host; of a sample, its counts are those of the whole."""

    count: float
    seen: float
    norm: float
    low: float
    high: float
    nonzero: float
    bad: float
    in_fp16: float

    @property
    def is_nan(self) -> bool:
        """Whether there is NaN among the values: it is then both their least and their largest."""
        return bool(self.bad) and math.isnan(self.high)

    @property
    def largest(self) -> float:
        """The greatest absolute value."""
        return max(-self.low, self.high)


def forward_origin(listener: Listener, stats: Sequence[Told], sick: set[str], loss: float) -> Origin | None:
    """The origin of the first NaN, or of an infinity among the outputs; infinities that end before are masks."""
    harm = _first_harm(listener, stats, loss)
    if harm is None:
        return None if math.isfinite(loss) else _origin("forward", None, "the loss", how="loss", value=kind_of(loss))
    if stats[harm].is_nan:
        masked = next((one for one in listener.masked if one.order <= harm and bool(one.wholly)), None)
        if masked is not None:
            place = _row_at(listener.rows, masked.path, masked.order)
            name = f"'{masked.path}' ({masked.kind})"
            images = _listed(masked.images)
            return _origin(
                "forward", place, name, how="masked", value="nan", parent=masked.operation, **_of(listener, images)
            )
    source = _source(listener, stats, harm)
    then = ""
    if source != harm:
        then = f"becomes NaN at {_name(listener, harm)}" if stats[harm].is_nan else "reaches the output"
    images = _listed(listener.images.get(source))
    return _told(listener, stats, sick, source, then, **_of(listener, images))


def _first_harm(listener: Listener, stats: Sequence[Told], loss: float) -> int | None:
    """The first value that is NaN, or an infinity that the network put out."""
    ends = [index for index in listener.results if stats[index].bad]
    nan = next((index for index, entry in enumerate(stats) if entry.is_nan), None)
    if nan is not None or ends:
        return min([*ends, *([] if nan is None else [nan])])
    if math.isfinite(loss) or listener.results:
        return None
    return next((index for index, entry in enumerate(stats) if entry.bad), None)  # the outputs could not be read


def _source(listener: Listener, stats: Sequence[Told], value: int) -> int:
    """Back from a bad value to the first bad one that it was made of, as far as that is known."""
    makers: dict[int, Row] = {}
    for row in listener.rows:
        for index in row.outputs:
            makers.setdefault(index, row)
    while True:
        before = [index for index in _before(listener, stats, makers.get(value), value) if index < value]
        if not before:
            return value
        value = min(before)


def _before(listener: Listener, stats: Sequence[Told], row: Row | None, value: int) -> list[int]:
    """The bad values that a bad one may have come from.

    What a layer took, it was made of. What was made between layers may come of any infinity made there before; one that
    is -inf alone is taken for a mask.
    """
    bad = [index for index in (row.inputs if row else ()) if stats[index].bad]
    if row is not None and (row.leaf or bad):
        return bad if row.leaf else [index for index in bad if stats[index].high == math.inf or stats[index].is_nan]
    scope = row.path if row is not None else listener.values[value].parent
    if scope is None:
        return []
    inner = "" if scope == "(model)" else f"{scope}."
    return [
        index
        for index in range(value)
        if stats[index].bad and stats[index].high == math.inf and listener.values[index].layer.startswith(inner)
    ]


def _told(listener: Listener, stats: Sequence[Told], sick: set[str], index: int, then: str, **images: Any) -> Origin:
    """The origin that one value is."""
    value, kind = listener.values[index], kind_of(stats[index].high)
    place = next((i for i, row in enumerate(listener.rows) if index in (*row.outputs, *row.inputs)), None)
    row = None if place is None else listener.rows[place]
    about: dict[str, Any] = {"value": kind, "then": then, **images}
    if row is not None and (value.made or row.operation) and row.path in sick:
        return _origin("forward", place, _name(listener, index), how="weights", **about)
    if row is None or not value.made:
        how = "between" if value.parent else "input"
        return _origin("forward", place, _name(listener, index), how=how, parent=value.parent, **about)
    how = "made" if row.leaf else "own"
    largest = max((stats[given].largest for given in row.inputs), default=math.nan)
    return _origin("forward", place, _name(listener, index), how=how, largest=largest, **about)


def _name(listener: Listener, index: int) -> str:
    """The layer that a value belongs to, with its type where it made it or takes it."""
    value = listener.values[index]
    row = next((row for row in listener.rows if index in (*row.outputs, *row.inputs)), None)
    if row is not None and row.operation:
        return f"'{row.path}:{row.operation}' ({row.kind})"
    return f"'{value.layer}'" + (f" ({row.kind})" if row and row.path == value.layer else "")


def _row_at(rows: Sequence[Row], path: str, order: int) -> int | None:
    """The row of the call of a module in which so many values were known."""
    return next((i for i, row in enumerate(rows) if row.path == path and max(row.outputs) >= order), None)


def backward_origin(listener: Listener, rows: Sequence[Row], pulls: Mapping[int, Told]) -> Origin | None:
    """The first bad gradient in the order in which they came: made by who takes that value, or handed to it."""
    index = next((index for index, entry in pulls.items() if entry.bad), None)
    if index is None:
        return None
    place = next(i for i, row in enumerate(rows) if index in row.outputs)
    row = rows[place]
    takers = [other for other in rows if index in other.inputs]
    name = f"'{row.path}:{row.operation}' ({row.kind})" if row.operation else f"'{row.path}' ({row.kind})"
    about: dict[str, Any] = {"value": kind_of(pulls[index].high)}
    about |= _of(listener, _listed(listener.gradient_images.get(index)))
    if takers:
        taker = min(takers, key=lambda other: not other.leaf)
        largest = max((pulls[out].largest for out in taker.outputs if out in pulls), default=math.nan)
        return _origin("backward", place, name, how="made", parent=taker.path, largest=largest, **about)
    how = "loss" if index == next(iter(pulls)) else "between"
    return _origin("backward", place, name, how=how, parent=row.path.rpartition(".")[0] or "(model)", **about)


def overflow(parameters: Sequence[str], norms: np.ndarray) -> Origin | None:
    """Gradients of weights that are not finite though those of all outputs are: their sums overflow."""
    path = next((path for path, norm in zip(parameters, norms, strict=True) if np.isinf(norm)), None)
    return None if path is None else _origin("backward", None, f"'{path}'", how="weights", value="inf")


def kind_of(number: float) -> str:
    """ "nan" or "inf"."""
    return "nan" if math.isnan(number) else "inf"


def _listed(counts: Tensor | None) -> tuple[int, ...]:
    """The images that have a count."""
    return () if counts is None else tuple(counts.nonzero().view(-1).tolist())


def _of(listener: Listener, images: Iterable[int]) -> dict[str, Any]:
    found = tuple(images)
    return {"images": found, "batch": listener.batch if found else 0}


def _origin(direction: str, layer: int | None, name: str, **told: Any) -> Origin:
    """An origin whose pass is not numbered yet."""
    return Origin(step=0, direction=direction, layer=layer, name=name, **told)
