"""Asking a decoder, and reading the forms in which it may answer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from ..boxes.writing import Size, stored, unstored
from ..layout import TargetLayout
from .renewing import renewed

FORMS = "boxes (B, N, 4) with scores (B, N, classes), or a (n, 6) tensor or a mapping for each image, are needed"


class Unreadable(Exception):
    """An output, or its lack, that ends the questions at a size; ``code`` names the fault."""

    def __init__(self, code: str, what: str):
        super().__init__(what)
        self.code = code


@dataclass(frozen=True, eq=False)
class Found:
    """All that comes out for one image: boxes (n, 4), the highest score of each, its class.

    ``second``: the second highest score of each, 0 where that is not told. ``dense``: one for each cell, unselected,
    with scores of so many ``classes``.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    second: np.ndarray
    dense: bool
    classes: int = 0

    def sure(self, least: float) -> "Found":
        """What has a higher score than this, the surest first."""
        picked = np.flatnonzero(self.scores > least)
        picked = picked[np.argsort(-self.scores[picked], kind="stable")]
        return Found(
            boxes=self.boxes[picked],
            scores=self.scores[picked],
            labels=self.labels[picked],
            second=self.second[picked],
            dense=self.dense,
        )


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
            return [_selected(torch.zeros(0, 6)) for _ in range(batch)]
        return _read(out, batch, sum(level[0, :, 0].size for level in levels), self.left_out)


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


def _read(out: object, batch: int, cells: int, left_out: int | None) -> list[Found]:
    """Each image's boxes, scores and labels; Unreadable where the output is none of the forms or is not finite."""
    if isinstance(out, (tuple, list)) and len(out) == 2 and all(isinstance(p, Tensor) and p.dim() == 3 for p in out):
        found = _dense(out, batch, cells, left_out)
    elif isinstance(out, (tuple, list, Tensor)) and len(out) == batch:
        found = [_selected(one) for one in cast("Iterable[Any]", out)]
    else:
        raise Unreadable("wrong_output", f"{FORMS}, but {type(out).__name__} came")
    for one in found:
        if not np.isfinite(one.boxes).all() or not np.isfinite(one.scores).all():
            raise Unreadable("non_finite", "boxes or scores hold NaN or infinity")
    return found


def _dense(out: Any, batch: int, cells: int, left_out: int | None) -> list[Found]:
    boxes, scores = (part.detach().cpu().double().numpy() for part in out)
    if boxes.shape[-1] != 4 or boxes.shape[:2] != scores.shape[:2] or len(boxes) != batch or not scores.shape[2]:
        raise Unreadable("wrong_output", f"{FORMS}, but {boxes.shape} and {scores.shape} came for {batch} images")
    full, classes = scores.shape[1] == cells, scores.shape[2]
    scores = scores if left_out is None else np.delete(scores, left_out, 2)
    found = []
    for box, score in zip(boxes, scores, strict=True):
        ranked = np.sort(score, 1)
        second = ranked[:, -2] if ranked.shape[1] > 1 else np.zeros(len(box))
        found.append(Found(box, ranked[:, -1], score.argmax(1), second, full, classes))
    return found


def _selected(one: Any) -> Found:
    """The detections of one image."""
    if isinstance(one, Tensor) and one.dim() == 2 and one.shape[1] >= 6:
        table = one.detach().cpu().double().numpy()
        return Found(table[:, :4], table[:, 4], table[:, 5].astype(int), np.zeros(len(table)), False)
    if not isinstance(one, Tensor) and hasattr(one, "keys") and {"boxes", "scores", "labels"} <= set(one.keys()):
        named: Any = one
        parts = [np.asarray(torch.as_tensor(named[name]).detach().cpu()) for name in ("boxes", "scores", "labels")]
        if parts[0].ndim == 2 and parts[0].shape[1] == 4 and len(parts[0]) == len(parts[1]) == len(parts[2]):
            boxes, scores = (part.astype(float) for part in parts[:2])
            return Found(boxes, scores, parts[2].astype(int), np.zeros(len(boxes)), False)
    raise Unreadable("wrong_output", f"{FORMS}, but {getattr(one, 'shape', type(one).__name__)} came for an image")
