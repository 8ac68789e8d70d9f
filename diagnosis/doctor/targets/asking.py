"""Asking an encoder and keeping what it says: only entries that differ from its own answer to an empty image."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from .. import storage
from ..layout import TargetLayout
from ..storage import Misfit
from .probes import Probe, empty, single


@dataclass(frozen=True, eq=False)
class Memory:
    """One level of an answer: ``shape`` of its axes; flat ``index``, ``value`` of what differs from ``ground``."""

    shape: dict[str, int]
    index: np.ndarray
    value: np.ndarray
    ground: np.ndarray

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.shape["H"], self.shape["W"]


@dataclass(frozen=True, eq=False)
class Answer:
    """What one probe gave: a ``Memory`` a level, or the ``error`` that was raised; ``finite``: no NaN or infinity."""

    probe: Probe
    levels: tuple[Memory, ...] = ()
    error: str | None = None
    finite: bool = True


@dataclass
class Asker:
    """Asks and counts, and keeps what the calls themselves showed: arguments changed, whole numbers, NaN, misfits."""

    encode: Callable
    layout: TargetLayout
    asked: int = 0
    differential: bool = False
    coarse_first: bool = False
    misfit: str | None = None
    integer: set[int] = field(default_factory=set)
    changed: list[str] = field(default_factory=list)
    infinite: dict[int, list[Probe]] = field(default_factory=dict)
    grounds: dict = field(default_factory=dict)
    previous: dict = field(default_factory=dict)
    frozen: Callable | None = None

    def freeze(self) -> None:
        """Ask a copy of the encoder as it is now at each further call, where it can be copied."""
        try:
            copy = deepcopy(self.encode)
        except Exception:  # whatever an object's own copying raises: it cannot be copied
            copy = self.encode
        self.frozen = None if copy is self.encode else copy

    def raw(self, probe: Probe) -> Any:
        """What the encoder itself returns, or the error in words."""
        boxes = torch.tensor(probe.boxes, dtype=torch.float32)
        labels = torch.tensor(probe.labels, dtype=torch.int64)
        given = boxes.clone(), labels.clone()
        self.asked += 1
        try:
            encode = deepcopy(self.frozen) if self.frozen else self.encode
            out = encode(given[0], given[1], probe.image_size)
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:200]
        if not torch.equal(given[0], boxes) or not torch.equal(given[1], labels):
            self.changed.append("boxes" if not torch.equal(given[0], boxes) else "labels")
        return out

    def arrays(self, probe: Probe) -> list[np.ndarray] | str:
        """A level: its array in the order of memory; the error in words, or "" where nothing can be read."""
        out = self.raw(probe)
        if isinstance(out, str):
            return out
        try:
            found = storage.arrays(out, self.layout, probe.image_size, coarse_first=self.coarse_first)
        except Misfit as misfit:
            said = f"{misfit}.{storage.advice(out, self.layout, probe.image_size)}"
            self.misfit = self.misfit or said.rstrip(".")
            return ""
        levels: Any = out if isinstance(out, (list, tuple)) else [out]
        self.integer |= {index for index, level in enumerate(levels) if storage.is_integer(level)}
        return found

    def ask(self, probe: Probe) -> Answer:
        """What differs from the answer to an empty image of the same size."""
        arrays = self.arrays(probe)
        if isinstance(arrays, str):
            return Answer(probe, error=arrays)
        dims = storage.order(self.layout)
        shapes = [dict(zip(dims, array.shape, strict=True)) for array in arrays]
        flat = [array.reshape(-1) for array in arrays]
        finite = True
        for level, values in enumerate(flat):
            if not np.isfinite(values).all():
                self.infinite.setdefault(level, []).append(probe)
                finite = False
                flat[level] = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        if self.differential:
            return Answer(probe, tuple(self._since(probe, flat, shapes)))
        grounds = self._grounds(probe.image_size, flat)
        return Answer(probe, tuple(map(_memory, shapes, flat, grounds)), finite=finite)

    def _grounds(self, image_size: tuple[int, int], like: list[np.ndarray]) -> list[np.ndarray]:
        """The flat answer to an image without objects; zeros where there is none of these shapes."""
        sizes = tuple(len(values) for values in like)
        if (image_size, sizes) not in self.grounds:
            arrays = self.arrays(empty(image_size))
            flat = [] if isinstance(arrays, str) else [np.nan_to_num(a.reshape(-1)).copy() for a in arrays]
            flat = flat or self._common(image_size, sizes)
            fits = tuple(len(values) for values in flat) == sizes
            self.grounds[image_size, sizes] = flat if fits else [np.zeros_like(values) for values in like]
        return self.grounds[image_size, sizes]

    def _common(self, image_size: tuple[int, int], sizes: tuple[int, ...]) -> list[np.ndarray]:
        """What most images of single objects far apart hold alike: the ground where an empty image raises."""
        height, width = image_size
        found: list[list[np.ndarray]] = []
        for x, y in ((0.12, 0.15), (0.85, 0.2), (0.2, 0.8), (0.83, 0.86), (0.5, 0.5)):
            arrays = self.arrays(single(x * width, y * height, 0.1 * min(image_size), image_size))
            if not isinstance(arrays, str) and tuple(array.size for array in arrays) == sizes:
                found.append([np.nan_to_num(array.reshape(-1)) for array in arrays])
        if len(found) < 3:
            return []
        return [np.median(np.stack(level), 0).astype(level[0].dtype) for level in zip(*found, strict=True)]

    def _since(self, probe: Probe, flat: list[np.ndarray], shapes: list) -> list[Memory]:
        """What has changed since the call before, upon zeros: for encoders that keep what they wrote."""
        key = probe.image_size, tuple(len(values) for values in flat)
        before = self.previous.get(key) or [np.zeros_like(values) for values in flat]
        self.previous[key] = [values.copy() for values in flat]
        found = []
        for shape, now, old in zip(shapes, flat, before, strict=True):
            dims = storage.order(self.layout)
            other = (now != old).reshape([shape[d] for d in dims]).any(dims.index("C"), keepdims=True)
            other = np.broadcast_to(other, [shape[d] for d in dims]).reshape(-1)
            found.append(_memory(shape, np.where(other, now, 0), np.zeros_like(now)))
        return found


def _memory(shape: dict[str, int], now: np.ndarray, ground: np.ndarray) -> Memory:
    index = np.flatnonzero(now != ground)
    value = now[index].astype(np.float64)
    clear = np.abs(value - ground[index]) > 1e-7
    return Memory(shape, index[clear], value[clear], ground)
