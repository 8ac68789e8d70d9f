"""What a head says of its boxes beside them, as how central a point is: least at the truth too."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..boxes.writing import stored, unstored
from .asking import Asker
from .cost import Cost
from .parts import Part
from .said import Said
from .truth import Truth

STEPS = (-1.0, -0.4, 0.4, 1.0)
"""Raw numbers by which it is moved."""


def quality(truth: Truth, asker: Asker, known: Sequence[Part]) -> list[Said]:
    """Whether the channels of the part "quality" cost less where they are moved, in objects one by one or all."""
    channels = next((list(part.channels) for part in known if part.name == "quality"), [])
    if not channels:
        return []
    targets, right = truth.levels(), asker.raw(truth.levels())
    least = asker.of_raw(right, targets, "a perfect prediction")
    moved = [_moved(truth, right, channels, step) for step in STEPS]
    costs = [asker.of_raw(raw, targets, "numbers beside the boxes that are off") for raw in moved]
    if Cost.beside(least, [cost - least for cost in costs]).less(min(costs)):
        words = "numbers that are said of boxes beside them cost less where they are off"
        return [Said("not_minimal", words, "quality")]
    return []


def _moved(truth: Truth, right: Sequence[Tensor], channels: Sequence[int], step: float) -> list[Tensor]:
    """Raw predictions with these channels moved in cells that hold an object."""
    found = []
    for level, raw in enumerate(unstored(right, truth.layout, truth.size)):
        held = torch.from_numpy(truth.mask(level))[:, :, None].float()
        moved = raw.clone()
        moved[:, :, list(channels)] += step * held
        found.append(moved.numpy())
    return stored(found, truth.layout)
