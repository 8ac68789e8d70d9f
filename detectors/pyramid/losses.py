"""What every such loss shares: which cells hold objects, what those should say, and the parts of the sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from .outputs import flat, grids, points
from .targets import STRIDES


@dataclass(frozen=True)
class Losses:
    """The parts of the loss of one batch, scalars that carry gradient; a subclass says their ``weights``."""

    classes: Tensor
    objectness: Tensor
    boxes: Tensor

    weights: ClassVar[dict[str, float]]

    @classmethod
    def of(cls, by_cell: Mapping[str, Tensor]) -> Self:
        """The sums of what each cell adds, by name."""
        return cls(**{name: part.sum() for name, part in by_cell.items()})

    @property
    def total(self) -> Tensor:
        """The weighted sum."""
        return torch.as_tensor(sum(weight * getattr(self, name) for name, weight in self.weights.items()))

    def numbers(self) -> dict[str, float]:
        """The parts and the total without gradient."""
        return {name: float(getattr(self, name).detach()) for name in ("total", *self.weights)}


@dataclass(frozen=True)
class Wanted:
    """Stacked targets read cell by cell: ``hit`` (B, A) which cells hold objects, ``boxes`` (hits, 4) xyxy px that
    those should put out, ``classes`` (B, A, nc) and ``objectness`` (B, A) in [0, 1]."""

    hit: Tensor
    boxes: Tensor
    classes: Tensor
    objectness: Tensor

    @property
    def positives(self) -> Tensor:
        """How many cells hold objects, at least 1."""
        return self.hit.sum().clamp(min=1)


def wanted(targets: Sequence[Tensor]) -> Wanted:
    """What the cells should say: from the targets (B, 5 + nc, h, w) of each level, as ``targets.encode`` makes them."""
    target = flat(targets)
    hit = target[..., 4] > 0
    middle, _ = points(grids(targets), STRIDES, target)
    middle = middle.T.expand(len(target), -1, -1)[hit]
    boxes = torch.cat((middle - target[..., :2][hit], middle + target[..., 2:4][hit]), 1)
    return Wanted(hit=hit, boxes=boxes, classes=target[..., 5:], objectness=target[..., 4])
