"""Differences of outputs, level by level, over many photographs."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..families.exports.network import Export
from ..tracing.trace import Trace
from .export_equivalence import LevelDifference
from .export_pairs import Pair


@dataclass
class _Sum:
    """Of all differences so far."""

    largest: float = 0.0
    total: float = 0.0
    count: int = 0
    scale: float = 0.0

    def add(self, mine: Tensor, other: Tensor) -> None:
        """Values that are not finite in one of the two alone lie infinitely far apart."""
        mine, other = mine.detach().cpu().double(), other.detach().cpu().double()
        apart = (mine - other).abs()
        apart[(mine == other) | (mine.isnan() & other.isnan())] = 0
        apart = apart.nan_to_num(nan=torch.inf, posinf=torch.inf)
        self.largest = max(self.largest, float(apart.max()))
        self.total += float(apart.sum())
        self.count += apart.numel()
        finite = mine[mine.isfinite()]
        self.scale = max(self.scale, float(finite.abs().max()) if finite.numel() else 0.0)


@dataclass
class Tally:
    """Adds up pairs; ``images`` is how many there were."""

    images: int = 0
    sums: dict[tuple[str, str], _Sum] = field(default_factory=dict)

    def add(self, pair: Pair) -> None:
        """The outputs of one photograph, where both had the same input."""
        self.images += 1
        if pair.same is None:
            return
        for key, mine, other in _outputs(pair.before, pair.same):
            if mine.shape == other.shape:
                self.sums.setdefault(key, _Sum()).add(mine, other)

    def differences(self) -> tuple[LevelDifference, ...]:
        """One for each output of each level."""
        return tuple(
            LevelDifference(
                level=level,
                quantity=quantity,
                largest=found.largest,
                mean=found.total / max(found.count, 1),
                scale=found.scale,
            )
            for (level, quantity), found in self.sums.items()
        )


def _outputs(before: Trace, after: Trace) -> list[tuple[tuple[str, str], Tensor, Tensor]]:
    """Outputs of the two by level and quantity, on grids that both have."""
    if before.shapes != after.shapes:
        return []
    boxes = [torch.from_numpy(made.decode(np.arange(made.pyramid.count))) for made in (before, after)]
    scores = [made.scores() for made in (before, after)]
    found = []
    for level, here in zip(before.levels, before.pyramid.slices, strict=True):
        index = level.index
        if _seen(before, index) and _seen(after, index):
            found.append(((level.name, "class logits"), before.logits[index], after.logits[index]))
        if before.run.box_logits.shape == after.run.box_logits.shape and before.reg_max == after.reg_max:
            raw = [made.run.box_logits[:, here] for made in (before, after)]
            found.append(((level.name, "box outputs"), *raw))
        found.append(((level.name, "scores"), scores[0][:, here], scores[1][:, here]))
        found.append(((level.name, "boxes"), boxes[0][here], boxes[1][here]))
    return found


def _seen(made: Trace, level: int) -> bool:
    """Whether logits were seen: those told from scores are worth less than these, which onnxruntime rounds to 6e-8."""
    features = made.run.features
    return not (isinstance(made.head.net, Export) and features[level].shape[1] == 0)
