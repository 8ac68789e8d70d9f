"""From what a listener heard to plain numbers: fetched from the device once a pass, then put side by side."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from .listen import Listener, Measure, Row
from .result import Layer, Numerics, Origin, Scales

COLUMNS = ("rms", "norm", "largest", "zeros", "non_finite", "lost")
LARGEST = COLUMNS.index("largest")
ABSENT = (math.nan,) * len(COLUMNS)


@dataclass(frozen=True, eq=False)
class Heard:
    """One pass on the host: ``forward`` and ``backward`` (rows, 6) of ``COLUMNS``, ``given`` (rows,) RMS of the inputs.

    ``layer`` of the origins is the index of a row.
    """

    rows: tuple[Row, ...]
    forward: np.ndarray
    backward: np.ndarray
    given: np.ndarray
    saturated: np.ndarray
    loss: float
    weight_norm: np.ndarray
    gradient_norm: np.ndarray
    update_norm: np.ndarray
    origins: tuple[Origin, ...]
    called: frozenset[nn.Module]

    @property
    def rms(self) -> dict[tuple[str, int], float]:
        """RMS of the outputs by path and call."""
        return {(row.path, row.call): rms for row, rms in zip(self.rows, self.forward[:, 0].tolist(), strict=True)}


def read(
    listener: Listener, loss: Tensor, norms: Sequence[Sequence[Tensor | float]], names: Sequence[str], before=None
) -> Heard:
    """Fetch all scalars of a pass; ``norms``: of the parameters, their gradients and updates, and of the buffers.

    ``names`` are the paths of parameters and buffers; a missing gradient has norm -1. The pass ``before`` lends what
    is the same.
    """
    sizes = [len(listener.measures), len(listener.gradients), len(listener.saturated), *map(len, norms)]
    scalars: list[Tensor | float] = [loss.detach()]
    for entry in (*listener.measures, *listener.gradients.values()):
        scalars += entry
    scalars += [count for count, _ in listener.saturated.values()]
    for part in norms:
        scalars += part
    numbers = iter(_fetched(scalars))
    value = next(numbers)
    entries = [_scaled(Measure(*(next(numbers) for _ in Measure._fields))) for _ in range(sizes[0] + sizes[1])]
    stats, pulls = entries[: sizes[0]], dict(zip(listener.gradients, entries[sizes[0] :], strict=True))
    full = [next(numbers) for _ in range(sizes[2])]
    weight, gradient, update, buffer = (np.array([next(numbers) for _ in range(size)]) for size in sizes[3:])
    gradient = np.where(gradient < 0, np.nan, np.where(np.isnan(gradient), np.inf, gradient))
    rows = tuple(listener.rows)
    if before is not None and rows == before.rows:
        rows = before.rows
    saturated = np.full(len(rows), np.nan)
    for (row, (_, units)), count in zip(listener.saturated.items(), full, strict=True):
        saturated[row] = count / units
    sick = {
        name.rpartition(".")[0] or "(model)"
        for name, norm in zip(names, (*weight, *buffer), strict=True)
        if not math.isfinite(norm)
    }
    origins = (
        _forward(listener, stats, sick, value),
        _backward(rows, pulls) or _overflow(names[: len(gradient)], gradient),
    )
    return Heard(
        rows=rows,
        forward=np.array([_combined(stats[index] for index in row.outputs) for row in rows]).reshape(-1, len(COLUMNS)),
        backward=np.array([_combined(pulls.get(index) for index in row.outputs) for row in rows]).reshape(
            -1, len(COLUMNS)
        ),
        given=np.array([_combined(stats[index] for index in row.inputs)[0] for row in rows]),
        saturated=saturated,
        loss=value,
        weight_norm=weight,
        gradient_norm=gradient,
        update_norm=update,
        origins=tuple(filter(None, origins)),
        called=frozenset(listener.called),
    )


def _scaled(entry: Measure) -> Measure:
    """The counts of a sample as those of the whole."""
    part = entry.seen / entry.count
    return entry if part == 1 else entry._replace(nonzero=entry.nonzero / part, in_fp16=entry.in_fp16 / part)


def _fetched(scalars: Sequence[Tensor | float]) -> list[float]:
    """The numbers as Python floats, in one transfer for each type and device."""
    kinds: dict[tuple, list[int]] = {}
    numbers = list(scalars)
    for index, value in enumerate(scalars):
        if isinstance(value, Tensor):
            kinds.setdefault((value.dtype, value.device), []).append(index)
    for places in kinds.values():
        for index, number in zip(places, torch.stack([scalars[place] for place in places]).tolist(), strict=True):
            numbers[index] = number
    return numbers


def _combined(entries: Iterable[Measure | None]) -> tuple[float, ...]:
    """``COLUMNS`` of several values taken as one."""
    entries = [entry for entry in entries if entry is not None]
    if not entries:
        return ABSENT
    count, _, length, low, high, nonzero, bad, kept = entries[0]
    largest = max(-low, high)  # NaN in one of the two is NaN in both
    for entry in entries[1:]:
        count, nonzero, bad, kept = (
            count + entry.count,
            nonzero + entry.nonzero,
            bad + entry.bad,
            kept + entry.in_fp16,
        )
        length, size = math.hypot(length, entry.norm), max(-entry.low, entry.high)
        largest = size if math.isnan(size) else max(largest, size)
    rms = length / math.sqrt(count)
    if math.isfinite(largest) and (not math.isfinite(rms) or (rms == 0 and largest > 0)):
        rms = length = largest  # the squares left the range of float32
    return rms, length, largest, 1 - nonzero / count, bad / count, (nonzero - kept) / max(nonzero, 1)


def put_together(
    passes: Sequence[Heard], paths: dict[nn.Module, str], *, parameters: tuple[str, ...], **about
) -> Numerics:
    """One table of all passes; layers are matched by path and call, in the order of their first pass."""
    layers, places = _layers(passes)
    shape = (len(passes), len(layers))
    tables = np.full((2, len(COLUMNS), *shape), np.nan)
    saturated, given = np.full((2, *shape), np.nan)
    origins = []
    for step, heard in enumerate(passes):
        at = [places[row.path, row.call] for row in heard.rows]
        tables[0][:, step, at], tables[1][:, step, at] = heard.forward.T, heard.backward.T
        saturated[step, at], given[step, at] = heard.saturated, heard.given
        for origin in heard.origins:
            layer = None if origin.layer is None else at[origin.layer]
            origins.append(replace(origin, step=step, layer=layer))
    forward, backward = (dict(zip(COLUMNS, table, strict=True)) for table in tables)
    called = frozenset().union(*(heard.called for heard in passes))
    columns = ("loss", "weight_norm", "gradient_norm", "update_norm")
    losses, weight, gradient, update = (np.array([getattr(heard, name) for heard in passes]) for name in columns)
    with np.errstate(invalid="ignore"):
        gain = forward["rms"] / np.where(given > 0, given, np.nan)
    return Numerics(
        layers=layers,
        forward=Scales(**forward, saturated=saturated),
        backward=Scales(**backward, saturated=np.full(shape, np.nan)),
        gain=gain,
        losses=losses,
        parameters=parameters,
        weight_norm=weight,
        gradient_norm=gradient,
        update_norm=update,
        origins=tuple(origins),
        never_called=tuple(
            path for module, path in paths.items() if module not in called and next(module.children(), None) is None
        ),
        probes=len(passes),
        **about,
    )


def _layers(passes: Sequence[Heard]) -> tuple[tuple[Layer, ...], dict[tuple[str, int], int]]:
    layers, places = [], {}
    known = None
    for heard in passes:
        if heard.rows is known:
            continue
        known = heard.rows
        makers = {value: (row.path, row.call) for row in known for value in row.outputs}
        for row in known:
            if (row.path, row.call) not in places:
                places[row.path, row.call] = len(layers)
                inputs = dict.fromkeys(places[makers[value]] for value in row.inputs if value in makers)
                layers.append(Layer(row.path, row.call, row.kind, row.leaf, row.frozen, row.residual, tuple(inputs)))
    return tuple(layers), places


def _forward(listener: Listener, stats: Sequence[Measure], sick: set[str], loss: float) -> Origin | None:
    """Values are numbered as they arise, so the first bad one cannot come from another that was measured."""
    index = next((index for index, entry in enumerate(stats) if entry.bad), None)
    if index is None:
        return None if math.isfinite(loss) else Origin(0, "forward", None, "the loss", "loss", _kind(loss))
    value = listener.values[index]
    place = next((i for i, row in enumerate(listener.rows) if index in (*row.outputs, *row.inputs)), None)
    row = None if place is None else listener.rows[place]
    name = f"'{value.layer}'" + (f" ({row.kind})" if row and row.path == value.layer else "")
    kind = _kind(stats[index].high)
    if not value.made:
        return Origin(0, "forward", place, name, "between" if value.parent else "input", kind, value.parent)
    how = "weights" if row.path in sick else "made" if row.leaf else "own"
    return Origin(
        0, "forward", place, name, how, kind, largest=_combined(stats[index] for index in row.inputs)[LARGEST]
    )


def _backward(rows: Sequence[Row], pulls: dict[int, Measure]) -> Origin | None:
    """The first bad gradient in the order in which they came: made by who takes that value, or handed to it."""
    index = next((index for index, entry in pulls.items() if entry.bad), None)
    if index is None:
        return None
    place = next(i for i, row in enumerate(rows) if index in row.outputs)
    row, kind = rows[place], _kind(pulls[index].high)
    taker = min((other for other in rows if index in other.inputs), key=lambda other: not other.leaf, default=None)
    name = f"'{row.path}' ({row.kind})"
    if taker is not None:
        largest = _combined(pulls.get(index) for index in taker.outputs)[LARGEST]
        return Origin(0, "backward", place, name, "made", kind, taker.path, largest)
    how = "loss" if index == next(iter(pulls)) else "between"
    return Origin(0, "backward", place, name, how, kind, row.path.rpartition(".")[0] or "(model)")


def _overflow(parameters: Sequence[str], norms: np.ndarray) -> Origin | None:
    """Gradients of weights that are not finite though those of all outputs are: their sums overflow."""
    path = next((path for path, norm in zip(parameters, norms, strict=True) if np.isinf(norm)), None)
    return None if path is None else Origin(0, "backward", None, f"'{path}'", "weights", "inf")


def _kind(number: float) -> str:
    return "nan" if math.isnan(number) else "inf"
