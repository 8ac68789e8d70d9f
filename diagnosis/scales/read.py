"""From what a listener heard to plain numbers: fetched from the device once a pass, then put side by side."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .listen import Key, Listener, Row
from .origins import Told, backward_origin, forward_origin, overflow
from .result import Layer, Numerics, Origin, Scales

COLUMNS = ("rms", "norm", "largest", "zeros", "non_finite", "lost")
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
    def rms(self) -> dict[Key, float]:
        """RMS of the outputs by row."""
        return {row.key: rms for row, rms in zip(self.rows, self.forward[:, 0].tolist(), strict=True)}


def read(
    listener: Listener,
    loss: Tensor,
    norms: Sequence[Sequence[Tensor | float]],
    names: Sequence[str],
    before: Heard | None = None,
) -> Heard:
    """Fetch all scalars of a pass; ``norms``: of the parameters, their gradients and updates, and of the buffers.

    ``names`` are the paths of parameters and buffers; a missing gradient has norm -1. The pass ``before`` lends what
    is the same.
    """
    numbers = iter(_fetched(_scalars(listener, loss, norms)))
    value = next(numbers)
    stats = [_told(numbers) for _ in listener.measures]
    pulls = {index: _told(numbers) for index in listener.gradients}
    full = [next(numbers) for _ in listener.saturated]
    weight, gradient, update, buffer = (_array(numbers, len(part)) for part in norms)
    gradient = np.where(gradient < 0, np.nan, np.where(np.isnan(gradient), np.inf, gradient))
    rows = tuple(listener.rows)
    if before is not None and rows == before.rows:
        rows = before.rows
    origins = (
        forward_origin(listener, stats, _sick(names, (*weight, *buffer)), value),
        backward_origin(listener, rows, pulls) or overflow(names[: len(gradient)], gradient),
    )
    values = dict(enumerate(stats))
    return Heard(
        rows=rows,
        forward=_table([row.outputs for row in rows], values),
        backward=_table([row.outputs for row in rows], pulls),
        given=_table([row.inputs for row in rows], values)[:, 0],
        saturated=_saturated(listener, full, len(rows)),
        loss=value,
        weight_norm=weight,
        gradient_norm=gradient,
        update_norm=update,
        origins=tuple(filter(None, origins)),
        called=frozenset(listener.called),
    )


def _scalars(listener: Listener, loss: Tensor, norms: Sequence[Sequence[Tensor | float]]) -> list[Tensor | float]:
    """All that is to be fetched, in the order in which it is read."""
    scalars: list[Tensor | float] = [loss.detach()]
    for entry in (*listener.measures, *listener.gradients.values()):
        scalars += entry
    scalars += [count for count, _ in listener.saturated.values()]
    for part in norms:
        scalars += part
    return scalars


def _told(numbers: Iterator[float]) -> Told:
    """The next measure; the counts of a sample as those of the whole."""
    entry = Told(*islice(numbers, len(Told._fields)))
    part = entry.seen / entry.count
    return entry if part == 1 else entry._replace(nonzero=entry.nonzero / part, in_fp16=entry.in_fp16 / part)


def _array(numbers: Iterator[float], size: int) -> np.ndarray:
    return np.array(list(islice(numbers, size)))


def _sick(names: Sequence[str], norms: Sequence[float]) -> set[str]:
    """The modules with parameters or buffers that are not finite, by the norms of these."""
    paths = [name for name, norm in zip(names, norms, strict=True) if not math.isfinite(norm)]
    return {path.rpartition(".")[0] or "(model)" for path in paths}


def _saturated(listener: Listener, full: Sequence[float], rows: int) -> np.ndarray:
    """The share of units at a bound, (rows,); NaN where nobody asked."""
    shares = np.full(rows, np.nan)
    for (row, (_, units)), count in zip(listener.saturated.items(), full, strict=True):
        shares[row] = count / units
    return shares


def _table(chosen: Sequence[Sequence[int]], values: Mapping[int, Told]) -> np.ndarray:
    """``COLUMNS`` of the values chosen for each row, (rows, 6)."""
    rows = [_combined(_known(indices, values)) for indices in chosen]
    return np.array(rows).reshape(-1, len(COLUMNS))


def _known(indices: Iterable[int], values: Mapping[int, Told]) -> list[Told]:
    return [values[index] for index in indices if index in values]


def _fetched(scalars: Sequence[Tensor | float]) -> list[float]:
    """The numbers as Python floats, in one transfer for each type and device."""
    kinds: dict[tuple, list[tuple[int, Tensor]]] = {}
    numbers = [math.nan] * len(scalars)
    for index, value in enumerate(scalars):
        if isinstance(value, Tensor):
            kinds.setdefault((value.dtype, value.device), []).append((index, value))
        else:
            numbers[index] = value
    for held in kinds.values():
        fetched = torch.stack([value for _, value in held]).tolist()
        for (index, _), number in zip(held, fetched, strict=True):
            numbers[index] = number
    return numbers


def _combined(entries: Sequence[Told]) -> tuple[float, ...]:
    """``COLUMNS`` of several values taken as one."""
    if not entries:
        return ABSENT
    first, *others = entries
    count, nonzero, bad, kept = first.count, first.nonzero, first.bad, first.in_fp16
    length, largest = first.norm, max(-first.low, first.high)  # NaN in one of the two is NaN in both
    for entry in others:
        count += entry.count
        nonzero += entry.nonzero
        bad += entry.bad
        kept += entry.in_fp16
        length, size = math.hypot(length, entry.norm), max(-entry.low, entry.high)
        largest = size if math.isnan(size) else max(largest, size)
    rms = length / math.sqrt(count)
    if math.isfinite(largest) and (not math.isfinite(rms) or (rms == 0 and largest > 0)):
        rms = length = largest  # the squares left the range of float32
    return rms, length, largest, 1 - nonzero / count, bad / count, (nonzero - kept) / max(nonzero, 1)


def put_together(
    passes: Sequence[Heard], paths: dict[nn.Module, str], *, parameters: tuple[str, ...], **about: Any
) -> Numerics:
    """One table of all passes; layers are matched by path and call, in the order of their first pass.

    ``paths`` are those of all modules; ``about`` are further fields of ``Numerics``.
    """
    layers, places = _layers(passes)
    shape = (len(passes), len(layers))
    tables = np.full((2, len(COLUMNS), *shape), np.nan)
    saturated, given = np.full((2, *shape), np.nan)
    origins = []
    for step, heard in enumerate(passes):
        at = [places[row.key] for row in heard.rows]
        tables[0][:, step, at], tables[1][:, step, at] = heard.forward.T, heard.backward.T
        saturated[step, at], given[step, at] = heard.saturated, heard.given
        for origin in heard.origins:
            layer = None if origin.layer is None else at[origin.layer]
            origins.append(replace(origin, step=step, layer=layer))
    forward, backward = (dict(zip(COLUMNS, table, strict=True)) for table in tables)
    called = frozenset().union(*(heard.called for heard in passes))
    with np.errstate(invalid="ignore"):
        gain = forward["rms"] / np.where(given > 0, given, np.nan)
    return Numerics(
        layers=layers,
        forward=Scales(**forward, saturated=saturated),
        backward=Scales(**backward, saturated=np.full(shape, np.nan)),
        gain=gain,
        losses=np.array([heard.loss for heard in passes]),
        parameters=parameters,
        weight_norm=np.array([heard.weight_norm for heard in passes]),
        gradient_norm=np.array([heard.gradient_norm for heard in passes]),
        update_norm=np.array([heard.update_norm for heard in passes]),
        origins=tuple(origins),
        never_called=tuple(path for module, path in paths.items() if module not in called and _is_innermost(module)),
        probes=len(passes),
        **about,
    )


def _is_innermost(module: nn.Module) -> bool:
    return next(module.children(), None) is None


def _layers(passes: Sequence[Heard]) -> tuple[tuple[Layer, ...], dict[Key, int]]:
    """The layers of all passes, and the place of each among them."""
    layers: list[Layer] = []
    places: dict[Key, int] = {}
    known = None
    for heard in passes:
        if heard.rows is known:
            continue
        known = heard.rows
        makers = _makers(known)
        for row in known:
            if row.key not in places:
                sources = [key for value in row.inputs for key in makers.get(value, ()) if key in places]
                places[row.key] = len(layers)
                layers.append(
                    Layer(
                        path=row.path,
                        call=row.call,
                        kind=row.kind,
                        leaf=row.leaf,
                        frozen=row.frozen,
                        residual=row.residual,
                        inputs=tuple(dict.fromkeys(places[key] for key in sources)),
                        operation=row.operation,
                    )
                )
    return tuple(layers), places


def _makers(rows: Sequence[Row]) -> dict[int, list[Key]]:
    """By value: the rows whose output it is, an operation before the module that puts it out."""
    makers: dict[int, list[Key]] = {}
    for row in rows:
        for value in row.outputs:
            makers.setdefault(value, []).append(row.key)
    return makers
