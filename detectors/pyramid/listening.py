"""The loss of such a detector listened to in training: who answers for which object, and what every cell pays."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from anatomy import BatchTargets, Pyramid
from anatomy.head.endings import ending_with

from .detector import LevelDetector
from .losses import Losses, Wanted, wanted
from .outputs import grids
from .targets import STRIDES

SAME = 0.01  # px; boxes read back from two cells of one object differ by rounding alone


@dataclass(frozen=True)
class Note:
    """One call of the loss: references to what it read, without gradient, and its answer."""

    outputs: Sequence[Any]
    targets: Sequence[Tensor]
    losses: Losses


@contextmanager
def listening(net: LevelDetector, offset: float, branch: str) -> Iterator[list[BatchTargets]]:
    """Within the block every call of ``net.loss`` is noted; at its end the list holds each batch, in order.

    ``offset`` of the anchor points in their cells. Nothing stays on the network, however the block ends; after an
    exception the list is empty. Objects are read back from the targets, those of an image in the order of their first
    cells; two alike count as one.
    """
    told: list[BatchTargets] = []
    notes: list[Note] = []
    original = net.loss

    def loss(outputs: Sequence[Any], targets: Sequence[Tensor]) -> Losses:
        answer = original(outputs, targets)
        resting = [type(level)(*(part.detach() for part in level)) for level in outputs]
        notes.append(Note(resting, targets, answer))
        return answer

    with ending_with(lambda: vars(net).pop("loss", None)):
        vars(net)["loss"] = loss
        yield told
    told.extend(_read(net, offset, branch, note) for note in notes)


@torch.no_grad()
def _read(net: LevelDetector, offset: float, branch: str, note: Note) -> BatchTargets:
    weights = note.losses.weights
    shares = {name: weights[name] * part for name, part in net.by_cell(note.outputs, note.targets).items()}
    objects = _objects(wanted(note.targets))
    return BatchTargets(
        branch=branch,
        weight=1.0,
        reported=True,
        pyramid=Pyramid.of(grids(note.targets), STRIDES, offset),
        object=objects.owner,
        score=objects.score,
        losses=shares,
        unplaced={},
        items=_items(note.losses, weights),
        boxes=objects.boxes,
        labels=objects.labels,
    )


def _items(losses: Losses, weights: Mapping[str, float]) -> dict[str, float]:
    return {name: weight * float(getattr(losses, name).detach()) for name, weight in weights.items()}


@dataclass(frozen=True)
class _Objects:
    """``owner`` (B, A) of the cells, -1 for none; ``score`` (B, A); boxes (n, 4) xyxy px and labels (n,) an image."""

    owner: Tensor
    score: Tensor
    boxes: tuple[Tensor, ...]
    labels: tuple[Tensor, ...]


def _objects(cells: Wanted) -> _Objects:
    """The objects that the cells hold: those with one box and class are one."""
    owner = torch.full(cells.hit.shape, -1, dtype=torch.int64, device=cells.hit.device)
    boxes, labels = [], []
    for image, found in enumerate(cells.boxes.split(cells.hit.sum(1).tolist())):
        classes = cells.classes[image, cells.hit[image]].argmax(1)
        near = torch.cdist(found, found, p=torch.inf) < SAME
        alike = near & (classes[:, None] == classes[None])
        first = alike.int().argmax(1) if len(found) else classes
        firsts, number = first.unique(return_inverse=True)
        owner[image, cells.hit[image]] = number
        boxes.append(found[firsts])
        labels.append(classes[firsts])
    return _Objects(owner=owner, score=cells.objectness, boxes=tuple(boxes), labels=tuple(labels))
