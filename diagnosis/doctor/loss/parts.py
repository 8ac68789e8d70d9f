"""Which raw channels hold the boxes, the objectness and the classes, as what changes when these change."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..boxes.writing import unstored
from .asking import Asker, Levels
from .truth import Truth

MOST = 24
"""So many classes are looked at one by one."""
FAR = 0.6
"""Strides by which boxes are moved."""


@dataclass(frozen=True)
class Part:
    """``name`` of a part of the predictions, and its raw ``channels`` (of one anchor)."""

    name: str
    channels: tuple[int, ...]


def groups(truth: Truth) -> dict[str, tuple[int, ...]]:
    """Channels of probabilities in the targets, by name."""
    layout = truth.layout
    found: dict[str, tuple[int, ...]] = {}
    if layout.objectness is not None:
        found["objectness"] = (layout.objectness,)
    if layout.class_values != "ids":
        found["classes"] = tuple(layout.class_channels)
    return found


def toward(truth: Truth, channels: Sequence[int], step: float, where: str) -> list[np.ndarray]:
    """Levels with probabilities ``step`` of the way from right to wrong, in cells with objects, empty ones, or all."""
    found = truth.levels()
    for level, values in enumerate(found):
        held = truth.mask(level)
        cells = {"objects": held, "empty cells": ~held, "all": np.ones_like(held)}[where]
        for channel in channels:
            part = values[:, :, channel]
            wrong = np.where(part > 0.5, 0.0, 1.0)
            part[cells] = (part + step * (wrong - part))[cells]
    return found


def parts(truth: Truth, asker: Asker) -> list[Part]:
    """The parts that the network's raw outputs have."""
    boxes = [changed(truth, asker, truth.nudged(channel, FAR)) for channel in range(4)]
    found = [Part("boxes", tuple(sorted(set().union(*(_channels(one) for one in boxes)))))]
    for name, channels in groups(truth).items():
        found.append(Part(name, _channels(changed(truth, asker, toward(truth, channels, 1.0, "all")))))
    return [part for part in found if part.channels]


def beside_boxes(known: Sequence[Part], boxes: Sequence[int] | None) -> list[Part]:
    """The parts, with raw channels that change with the boxes and are none of ``boxes``, as how central a point is,
    as a part "quality" of their own."""
    found = []
    for part in known:
        rest = tuple(channel for channel in part.channels if channel not in (boxes or part.channels))
        if part.name != "boxes" or not rest or len(rest) == len(part.channels):
            found.append(part)
            continue
        own = tuple(channel for channel in part.channels if channel not in rest)
        found += [Part("boxes", own), Part("quality", rest)]
    return found


def changed(truth: Truth, asker: Asker, levels: Levels) -> list[Tensor]:
    """(B, A, C, H, W) bool a level: the raw numbers that change when predictions mean ``levels``, not the truth."""
    pairs = [unstored(asker.raw(one), truth.layout, truth.size) for one in (truth.levels(), levels)]
    return [before != after for before, after in zip(*pairs, strict=True)]


def _channels(masks: Sequence[Tensor]) -> tuple[int, ...]:
    """The channels in which anything changes."""
    found = torch.stack([mask.transpose(0, 2).flatten(1).any(1) for mask in masks]).any(0)
    return tuple(found.nonzero().flatten().tolist())
