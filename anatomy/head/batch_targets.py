"""What training made of one batch: which cells answer for which objects, and what each cell pays."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from ..shown import Record
from .at_rest import PickledAtRest
from .pyramid import Pyramid

Name = TypeVar("Name", bound=Hashable)


def numbers(values: Mapping[Name, Tensor]) -> dict[Name, float]:
    """Scalars as Python's; where all lie on one device, fetched in one transfer."""
    if len({value.device for value in values.values()}) != 1:
        return {name: float(value) for name, value in values.items()}
    fetched = torch.stack([value.detach().double().reshape(()) for value in values.values()]).tolist()
    return dict(zip(values, fetched, strict=True))


@dataclass(frozen=True, repr=False)
class BatchTargets(PickledAtRest, Record):
    """One branch of one batch of B images, A anchors each, as the trainer's own criterion treated it; no gradient.

    ``object`` (B, A) int64: the object of its image whose positive a cell is, -1 for background; ``score`` (B, A) its
    target mass, what its class rows are trained towards, summed. ``losses``: (B, A) each by the criterion's names
    ("box", "cls", "dfl", …), gains included; ``unplaced`` what of an item belongs to no cell, such as a loss over the
    whole picture. The sum of both is what the criterion itself returned, ``items`` (before it multiplies by B).

    ``branch`` "one2many" or "one2one"; ``weight`` of the branch in the loss that is minimized; ``reported``: whether
    the trainer's loss items hold this branch (YOLO26's are those of "one2one" alone). ``boxes`` (n, 4) xyxy px of the
    network input an image, rotated ones (n, 5) xywhr with the angle in radians; ``labels`` (n,) int64 an image.
    ``pyramid`` says where the anchors lie.
    """

    branch: str
    weight: float
    reported: bool
    pyramid: Pyramid
    object: Tensor
    score: Tensor
    losses: Mapping[str, Tensor]
    unplaced: Mapping[str, float]
    items: Mapping[str, float]
    boxes: tuple[Tensor, ...]
    labels: tuple[Tensor, ...]

    @property
    def positives(self) -> Tensor:
        """Which cells answer for an object, (B, A) bool."""
        return self.object >= 0

    def by_level(self, values: Tensor) -> Tensor:
        """The sums of values (…, B, A) over the cells of each level, (…, levels)."""
        return torch.stack([values[..., here].sum((-2, -1)) for here in self.pyramid.slices], -1)


Reads = Sequence[Callable[[], BatchTargets]]  # what reads each branch of a batch, one after the other
