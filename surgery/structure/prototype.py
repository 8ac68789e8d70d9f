"""Rows of a new class from a few labelled boxes, by a closed form on what the class convolution reads.

Positives are the cells whose own decoded box fits a labelled one best; background is every cell whose box fits none.
"mean": the row points from the mean of the background's features to that of the positives', a nearest-mean classifier
(https://arxiv.org/abs/1703.05175). "ridge": least squares towards two logits with a penalty on the length of the row,
positives and background weighing the same (Hoerl and Kennard 1970, https://doi.org/10.1080/00401706.1970.10488634).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from anatomy import Head, describe
from anatomy.head.levels import SILENT_LOGIT

from ..places import Place, here, places
from ..rows import Rows
from .examples import Cells, cells_of

METHODS = ("ridge", "mean")
POSITIVE, BACKGROUND = 1.5, -6.0  # logits: 0.82 and 0.0025 as scores
PENALTY = 0.01  # of ridge, as a part of the features' mean variance
FOUND = 0.25  # the least confidence by default


@dataclass(frozen=True)
class Evidence:
    """What a prototype was made of, and what it is worth.

    ``boxes`` labelled, on ``images``; ``cells`` by level name: how many positive ones. Where there are several images,
    each was left out in turn: ``held_out`` boxes were then scored by rows that had not seen them, and ``found`` of them
    have a positive cell of at least 0.25; ``false_cells`` is the mean number of background cells an image that do as
    well, before any suppression. All three are None for one image: then nothing is known of other images.
    """

    method: str
    boxes: int
    images: int
    cells: Mapping[str, int]
    held_out: int | None = None
    found: int | None = None
    false_cells: float | None = None

    def in_short(self) -> str:
        """One line, as an edit keeps it."""
        start = f"{self.method} on {self.boxes} boxes of {self.images} images"
        if self.found is None:
            return f"{start}; not tried on any other image"
        return (
            f"{start}; left out in turn, {self.found} of {self.held_out} boxes reach {FOUND}, "
            f"as do {self.false_cells:.1f} background cells an image"
        )


@dataclass(frozen=True)
class Prototype:
    """Rows of one new class by (branch, level): weight (1, c, kh, kw) and bias (1,); and the evidence for them.

    A level without a positive cell has a row that is silent.
    """

    rows: Mapping[Place, Rows]
    evidence: Evidence

    def __str__(self) -> str:
        cells = ", ".join(f"{name} {count}" for name, count in self.evidence.cells.items())
        return f"prototype: {self.evidence.in_short()} (positive cells: {cells})"


def prototype(
    model: object,
    examples: Iterable[tuple[Any, Any]],
    *,
    method: str = "ridge",
    imgsz: int = 640,
    progress: bool = True,
    **predict_args: Any,
) -> Prototype:
    """Rows of a new class from labelled boxes, for ``add_class``; the model stays as it is.

    ``examples``: (image, boxes) pairs, the image whatever ``anatomy.trace`` takes, boxes (n, 4) xyxy px of it. All that
    is not labelled counts as background, other objects of the new class too. ``method`` "ridge" or "mean". Raises
    ValueError for no boxes at all, for boxes that are none, and for another method.

    >>> surgery.prototype(model, [(photo, [[20, 10, 60, 50]])], imgsz=192).evidence.boxes
    1
    """
    if method not in METHODS:
        raise ValueError(f"method must be {' or '.join(map(repr, METHODS))}, but {method!r} was given.")
    head = describe(model)
    given = list(cells_of(model, examples, imgsz=imgsz, progress=progress, **predict_args))
    boxes = sum(entry.boxes for entry in given)
    if not boxes:
        raise ValueError("A prototype needs at least one labelled box, but the examples hold none.")
    rows = _fitted(head, given, method)
    counts = [sum(int(entry.owner[level].ge(0).sum()) for entry in given) for level in range(len(head.levels))]
    cells = {level.name: count for level, count in zip(head.levels, counts, strict=True)}
    evidence = Evidence(method=method, boxes=boxes, images=len(given), cells=cells, **_left_out(head, given, method))
    return Prototype(rows=rows, evidence=evidence)


def _left_out(head: Head, given: list[Cells], method: str) -> dict[str, Any]:
    """Each image scored by rows that were made without it; nothing where the rest has no box."""
    boxes, found, wrong, tried = 0, 0, 0, 0
    for entry in given:
        rest = [other for other in given if other is not entry]
        if not sum(other.boxes for other in rest):
            continue
        best, background = _scored(head, entry, _fitted(head, rest, method))
        boxes, found = boxes + entry.boxes, found + int((best >= FOUND).sum())
        wrong, tried = wrong + background, tried + 1
    if not tried:
        return {}
    return {"held_out": boxes, "found": found, "false_cells": wrong / tried}


def _scored(head: Head, cells: Cells, rows: Mapping[Place, Rows]) -> tuple[Tensor, int]:
    """Of each box (n,) its best positive cell, and how many background cells are found, in the branch that ran."""
    best, wrong = torch.zeros(cells.boxes), 0
    for level in range(len(head.levels)):
        weight, bias = rows[cells.branch, level]
        scores = (cells.features[cells.branch, level] @ weight.flatten() + (0.0 if bias is None else bias)).sigmoid()
        owner = cells.owner[level]
        best.scatter_reduce_(0, owner[owner >= 0], scores[owner >= 0], "amax")
        wrong += int((scores[cells.background[level]] >= FOUND).sum())
    return best, wrong


def _fitted(head: Head, given: list[Cells], method: str) -> dict[Place, Rows]:
    rows = {}
    for branch, level in places(head):
        weight, bias = here(head, (branch, level))
        positive = torch.cat([entry.features[branch, level][entry.owner[level] >= 0] for entry in given])
        background = torch.cat([entry.features[branch, level][entry.background[level]] for entry in given])
        new, offset = _row(positive, background, method) if len(positive) else _silent(positive)
        rows[branch, level] = new.view(1, *weight.shape[1:]), None if bias is None else offset.view(1)
    return rows


def _silent(features: Tensor) -> tuple[Tensor, Tensor]:
    return features.new_zeros(features.shape[1]), features.new_tensor(SILENT_LOGIT)


def _row(positive: Tensor, background: Tensor, method: str) -> tuple[Tensor, Tensor]:
    """Weight (c,) and bias of one row, from features (n, c) of positives and (m, c) of background."""
    if not len(background):
        background = positive.new_zeros(1, positive.shape[1])
    above, below = positive.double(), background.double()
    difference = above.mean(0) - below.mean(0)
    if method == "mean":
        weight = difference * (POSITIVE - BACKGROUND) / difference.square().sum().clamp_min(1e-12)
        return weight.float(), (POSITIVE - weight @ above.mean(0)).float()
    middle = (above.mean(0) + below.mean(0)) / 2
    spread = ((above - middle).T @ (above - middle)) / len(above) + ((below - middle).T @ (below - middle)) / len(below)
    spread = spread / 2
    spread.diagonal().add_(PENALTY * spread.diagonal().mean().clamp_min(1e-12))
    weight = torch.linalg.solve(spread, difference * (POSITIVE - BACKGROUND) / 4)
    return weight.float(), ((POSITIVE + BACKGROUND) / 2 - weight @ middle).float()
