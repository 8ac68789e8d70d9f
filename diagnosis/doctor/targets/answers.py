"""Asking an encoder and keeping what it says: only entries that differ from its answer to an empty image."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import torch

from ..layout import TargetLayout
from .probes import Probe, empty


@dataclass(frozen=True, eq=False)
class Spots:
    """The cells of one level that hold an object: ``rows``, ``columns`` (k,), ``values`` (k, C) of all channels.

    ``classes`` (k, classes) and ``objectness`` (k,) bool: which are set. ``box`` (k, 4) float.
    """

    rows: np.ndarray
    columns: np.ndarray
    classes: np.ndarray
    objectness: np.ndarray
    box: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Sparse:
    """One level's tensor of ``shape`` (C, h, w): flat ``index`` and ``value`` of what differs from ``background``."""

    shape: tuple[int, int, int]
    index: np.ndarray
    value: np.ndarray
    background: np.ndarray

    def dense(self) -> np.ndarray:
        """The whole tensor, (C, h, w)."""
        out = self.background.copy().reshape(-1)
        out[self.index] = self.value
        return out.reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Answer:
    """What one probe gave: a ``Sparse`` a level, or the ``error`` that was raised."""

    probe: Probe
    levels: tuple[Sparse, ...] = ()
    error: str | None = None


@dataclass
class Clerk:
    """Asks, counts, and notes what went wrong with the calls themselves."""

    encode: Callable
    layout: TargetLayout
    dtype: torch.dtype = torch.float32
    asked: int = 0
    differential: bool = False
    unfit: str | None = None
    integer: set[int] = field(default_factory=set)
    mutated: list[str] = field(default_factory=list)
    infinite: dict[int, list[Probe]] = field(default_factory=dict)
    backgrounds: dict = field(default_factory=dict)
    previous: dict = field(default_factory=dict)
    frozen: Callable | None = None

    def freeze(self) -> None:
        """Ask a copy of the encoder as it is now at each further call, where it can be copied."""
        try:
            copy = deepcopy(self.encode)
        except Exception:  # whatever an object's own copying raises: it cannot be copied
            copy = self.encode
        self.frozen = None if copy is self.encode else copy

    def raw(self, probe: Probe) -> list[torch.Tensor] | str:
        """The encoder's own tensors, or the error in words."""
        boxes = torch.tensor(probe.boxes, dtype=self.dtype)
        labels = torch.tensor(probe.labels, dtype=torch.int64)
        given = boxes.clone(), labels.clone()
        self.asked += 1
        try:
            encode = deepcopy(self.frozen) if self.frozen else self.encode
            out = encode(given[0], given[1], probe.image_size)
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:200]
        if not torch.equal(given[0], boxes) or not torch.equal(given[1], labels):
            self.mutated.append("boxes" if not torch.equal(given[0], boxes) else "labels")
        self.unfit = self.unfit or self.misfit(out)
        return list(out) if self.unfit is None else ""

    def misfit(self, out: object) -> str | None:
        """What is wrong with the kind and the shape of the outputs, so that they cannot be read at all."""
        wanted = len(self.layout.strides)
        if not isinstance(out, (list, tuple)) or not all(isinstance(level, torch.Tensor) for level in out):
            return f"a sequence of tensors is needed, one a level, but {type(out).__name__} came"
        if len(out) != wanted:
            return f"{wanted} levels are declared (strides {self.layout.strides}), but {len(out)} came"
        for index, level in enumerate(out):
            if level.dim() != 3:
                return f"level {index}: (C, h, w) is needed, but a tensor of shape {tuple(level.shape)} came"
            if level.shape[0] < self.layout.channels:
                last = " The channels seem to come last." if level.shape[-1] >= self.layout.channels else ""
                return (
                    f"level {index}: {self.layout.channels} channels are declared, but {tuple(level.shape)} came.{last}"
                )
        return None

    def background(self, image_size: tuple[int, int], shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
        """The answer to an image without objects; zeros where it has other shapes."""
        key = image_size, tuple(shapes)
        if key not in self.backgrounds:
            out = self.raw(empty(image_size))
            if isinstance(out, list) and [tuple(level.shape) for level in out] == list(shapes):
                plain = [np.nan_to_num(_array(level)) for level in out]
            else:
                plain = [np.zeros(shape) for shape in shapes]
            self.backgrounds[key] = plain
        return self.backgrounds[key]

    def ask(self, probe: Probe) -> Answer:
        """The answer to one probe; NaN and infinity count as zero, and are noted."""
        out = self.raw(probe)
        if isinstance(out, str):
            return Answer(probe, error=out)
        arrays = []
        for index, level in enumerate(out):
            if not level.is_floating_point():
                self.integer.add(index)
            array = _array(level)
            if not np.isfinite(array).all():
                self.infinite.setdefault(index, []).append(probe)
                array = np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)
            arrays.append(array)
        shapes = [array.shape for array in arrays]
        if self.differential:
            key = probe.image_size, tuple(shapes)
            before = self.previous.get(key) or [np.zeros(shape) for shape in shapes]
            self.previous[key] = [array.copy() for array in arrays]
            grounds = [np.zeros(shape) for shape in shapes]
            changed = [((now != old).any(0))[None] for now, old in zip(arrays, before, strict=True)]
            arrays = [np.where(mask, now, 0) for now, mask in zip(arrays, changed, strict=True)]
        else:
            grounds = self.background(probe.image_size, shapes)
        return Answer(probe, tuple(_sparse(a, g) for a, g in zip(arrays, grounds, strict=True)))


def _array(level: torch.Tensor) -> np.ndarray:
    return level.detach().cpu().to(torch.float32).numpy().copy()


def _sparse(array: np.ndarray, ground: np.ndarray) -> Sparse:
    index = np.flatnonzero(np.abs(array - ground).reshape(-1) > 1e-7)
    return Sparse(array.shape, index, array.reshape(-1)[index], ground)


SCRAMBLES = {
    "hwc": "the tensor is built as (h, w, C) and viewed as (C, h, w)",
    "whc": "the tensor is built as (w, h, C) and viewed as (C, h, w)",
    "classes": "the class channels are built as (h, w, classes) and viewed as (classes, h, w)",
    "all but boxes": "class and objectness channels are built as (h, w, channels) and viewed as (channels, h, w)",
}


def unscramble(dense: np.ndarray, order: str) -> np.ndarray:
    """The (C, h, w) array that was built as (h, w, C) or (w, h, C) and then viewed as (C, h, w)."""
    channels, height, width = dense.shape
    if order == "hwc":
        return dense.reshape(height, width, channels).transpose(2, 0, 1)
    return dense.reshape(width, height, channels).transpose(2, 1, 0)


def repair(dense: np.ndarray, layout: TargetLayout, how: str | None) -> np.ndarray:
    """The (C, h, w) array with one of ``SCRAMBLES`` undone."""
    if how is None:
        return dense
    if how in ("hwc", "whc"):
        return unscramble(dense, how)
    part = list(layout.class_channels)
    if how == "all but boxes" and layout.objectness is not None:
        part = sorted([layout.objectness, *part])
    out = dense.copy()
    out[part] = unscramble(np.ascontiguousarray(dense[part]), "hwc")
    return out


def read(level: Sparse, layout: TargetLayout, scramble: str | None = None) -> Spots:
    """The cells whose class or objectness channels differ from the background, and what they hold."""
    channels, height, width = level.shape
    if not len(level.index):
        return _no_spots(level, layout)
    kinds = list(layout.class_channels) + ([] if layout.objectness is None else [layout.objectness])
    if scramble:
        dense, ground = (repair(part, layout, scramble) for part in (level.dense(), level.background))
        touched = np.abs(dense[kinds] - ground[kinds]).max(0) > 1e-7
        rows, columns = np.nonzero(touched)
    else:
        channel, cell = np.divmod(level.index, height * width)
        wanted, touched = np.zeros(channels, bool), np.zeros((height, width), bool)
        wanted[kinds] = True
        touched.reshape(-1)[cell[wanted[channel]]] = True
        rows, columns = np.nonzero(touched)
        dense, ground = _gather(level), level.background
    values, plain = dense[:, rows, columns].T, ground[:, rows, columns].T
    scores = values[:, list(layout.class_channels)]
    gain = scores - plain[:, list(layout.class_channels)]
    top = gain.max(1, keepdims=True) if len(gain) else gain[:, :1]
    classes = (gain > 0.5 * top) & (gain > 1e-6)
    chance = np.zeros(len(rows), bool)
    if layout.objectness is not None:
        chance = values[:, layout.objectness] - plain[:, layout.objectness] > 1e-6
    return Spots(rows, columns, classes, chance, values[:, list(layout.box)])


def _no_spots(level: Sparse, layout: TargetLayout) -> Spots:
    """What is read from a level that is as in an empty image."""
    return Spots(
        rows=np.zeros(0, np.int64),
        columns=np.zeros(0, np.int64),
        classes=np.zeros((0, len(layout.class_channels)), bool),
        objectness=np.zeros(0, bool),
        box=np.zeros((0, len(layout.box)), level.background.dtype),
    )


def _gather(level: Sparse):
    return _Lookup(level)


class _Lookup:
    """``dense[:, rows, columns]`` of a sparse level without building all of it."""

    def __init__(self, level: Sparse):
        self.level = level

    def __getitem__(self, key):
        _, rows, columns = key
        channels, height, width = self.level.shape
        flat = np.arange(channels)[:, None] * (height * width) + (rows * width + columns)[None]
        values = self.level.background.reshape(-1)[flat]
        if len(self.level.index):
            at = np.searchsorted(self.level.index, flat).clip(max=len(self.level.index) - 1)
            hit = self.level.index[at] == flat
            values = np.where(hit, self.level.value[at], values)
        return values
