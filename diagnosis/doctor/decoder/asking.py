"""Asking a decoder: what it takes, and what its calls themselves show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from ..boxes.writing import Size, stored, unstored
from ..layout import TargetLayout
from .found import Found, Unreadable, read, selected
from .renewing import renewed


@dataclass
class Asker:
    """Asks and counts; ``changed``: whether a call has changed the tensors that it was given.

    ``turned``: raw box channels are given as (n, 4), not as (4, n). ``fresh``: each call is to a copy that was never
    asked. ``batched``: the code of what goes wrong with batches alone. ``left_out``: a class whose scores are not read.
    ``sparse``: an image without detections may be left out.
    """

    decode: Callable
    layout: TargetLayout
    prepare: Callable | None
    asked: int = 0
    changed: bool = False
    turned: bool = False
    fresh: bool = False
    batched: str = ""
    left_out: int | None = None
    sparse: bool = False
    silent: list[tuple[Sequence[np.ndarray], list[Found]]] = field(default_factory=list, init=False)

    def given(self, levels: Sequence[np.ndarray]) -> Any:
        """What the decoder takes for a batch of levels."""
        tensors: Any = stored(levels, self.layout)
        tensors = tensors[0] if self.layout.axes.removeprefix("B") == "NC" else tensors
        made = self.prepare(tensors) if self.prepare else tensors
        return _turned(made, self.layout, self._size(levels)) if self.turned else made

    def levels(self, levels: Sequence[np.ndarray]) -> list[np.ndarray] | None:
        """(B, A, C, H, W) a level: what the decoder takes, of as many channels as the network puts out.

        None where that is not stored as the layout says, such as objects with several tensors a level.
        """
        found = _by_level(self.given(levels), self.layout, self._size(levels))
        return None if found is None else [one.cpu().numpy() for one in found]

    def _size(self, levels: Sequence[np.ndarray]) -> Size:
        rows, columns = levels[0].shape[-2:]
        return int(rows * self.layout.strides[0]), int(columns * self.layout.strides[0])

    def viewed(self) -> "Asker | None":
        """The same, of outputs whose raw box channels stand as (n, 4) where (4, n) is declared.

        None where the network puts out one number a side.
        """
        if self.prepare is None or tuple(self.layout.box) != (0, 1, 2, 3):
            return None
        return replace(self, turned=True)

    def alike(self, one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
        """Whether the decoder takes the same for both: what tells them apart is no output of the network."""
        pairs = zip(_listed(self.given(one)), _listed(self.given(other)), strict=True)
        return all(torch.equal(first, second) for first, second in pairs)

    def plain(self, noise: Sequence[np.ndarray]) -> list[Found]:
        """What comes of outputs without predictions: each is asked once, and its answer kept in ``silent``."""
        for levels, found in self.silent:
            if all(one is other for one, other in zip(levels, noise, strict=True)):
                return found
        self.silent.append((noise, self(noise)))
        return self.silent[-1][1]

    def __call__(self, levels: Sequence[np.ndarray], decode: Callable | None = None) -> list[Found]:
        """What each image of a batch of levels (B, A, C, H, W) gives; Unreadable where that cannot be said."""
        given = self.given(levels)
        before = _copies(given)
        self.asked += 1
        batch = len(levels[0])
        try:
            with torch.no_grad():
                out = (decode or (renewed(self.decode) if self.fresh else self.decode))(given)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"[:200]
            raise Unreadable("raises", f"a batch of {batch} raises {said}") from error
        pairs = zip(_listed(given), before, strict=False)
        self.changed |= any(one.shape != kept.shape or not torch.equal(one, kept) for one, kept in pairs)
        if self.sparse and isinstance(out, (list, tuple)) and not out:
            return [selected(torch.zeros(0, 6)) for _ in range(batch)]
        return read(out, batch, sum(level[0, :, 0].size for level in levels), self.left_out)


def _turned(made: Any, layout: TargetLayout, size: Size) -> Any:
    """Raw outputs with the four sides of each bin together, (n, 4), where the bins of each side stand, (4, n).

    As they are where they are not stored as the layout says.
    """
    raw, levels = _by_level(made, layout, size), []
    if raw is None:
        return made
    for level in raw:
        count = (level.shape[2] - layout.channels + 4) // 4
        sides = level[:, :, : 4 * count].unflatten(2, (4, count)).transpose(2, 3).flatten(2, 3)
        levels.append(torch.cat((sides, level[:, :, 4 * count :]), 2).cpu().numpy())
    tensors = stored(levels, layout)
    return tensors[0] if isinstance(made, Tensor) else tensors


def _by_level(given: Any, layout: TargetLayout, size: Size) -> list[Tensor] | None:
    """(B, A, C, H, W) a level of what is stored as the layout says; None of anything else."""
    tensors = [given] if isinstance(given, Tensor) else given
    wanted = 1 if layout.axes.removeprefix("B") == "NC" else len(layout.strides)
    if not isinstance(tensors, (list, tuple)) or len(tensors) != wanted:
        return None
    return unstored(tensors, layout, size) if all(isinstance(one, Tensor) for one in tensors) else None


def _listed(given: Any) -> list[Tensor]:
    """Every tensor in what a decoder takes, however it is nested."""
    return [part for part in tree_leaves(given) if isinstance(part, Tensor)]


def _copies(given: Any) -> list[Tensor]:
    return [part.clone() for part in _listed(given)]
