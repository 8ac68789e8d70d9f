"""One batch measured: what its criterion made of it, level by level, and how strongly the head is driven."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anatomy.head.batch_targets import BatchTargets
from anatomy.head.head import Head

from .tables import SIZES

BOUNDS = (32**2, 96**2)  # px² of the network input: COCO's bounds, https://cocodataset.org/#detection-eval


@dataclass(frozen=True)
class BranchMeasures:
    """One branch of one batch. ``levels``: a row each; ``labels``, ``sides`` (n, 2) px and ``positives`` of its n
    objects; ``unplaced``: what of a loss item belongs to no level; ``by_image`` (B,) objects of each image."""

    branch: str
    reported: bool
    levels: list[dict[str, Any]]
    labels: np.ndarray
    sides: np.ndarray
    positives: np.ndarray
    unplaced: Mapping[str, float]
    by_image: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def sizes(self) -> list[dict[str, Any]]:
        """Objects, and those without a positive, by size."""
        size = np.digitize(self.sides.prod(1), BOUNDS)
        rows = []
        for index, name in enumerate(SIZES):
            here = size == index
            without = int((here & (self.positives == 0)).sum())
            rows.append({"branch": self.branch, "size": name, "objects": int(here.sum()), "without": without})
        return rows


def measured(targets: BatchTargets, head: Head) -> BranchMeasures:
    """The numbers of a branch, fetched from its device."""
    columns = {"positives": targets.positives, "target_mass": targets.score, **targets.losses}
    table = targets.by_level(torch.stack([column.double() for column in columns.values()])).cpu().numpy()
    rows = []
    for level, values in zip(head.levels, table.T.tolist(), strict=True):
        row = dict(zip(columns, values, strict=True)) | {"branch": targets.branch, "weight": targets.weight}
        rows.append(row | {"level": level.index, "level_name": level.name, "positives": int(row["positives"])})
    labels, sides, positives = _objects(targets)
    return BranchMeasures(
        branch=targets.branch,
        reported=targets.reported,
        levels=rows,
        labels=labels,
        sides=sides,
        positives=positives,
        unplaced=targets.unplaced,
        by_image=np.array([len(labels) for labels in targets.labels], np.int64),
    )


def _objects(targets: BatchTargets) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class (n,), width and height (n, 2) px, and number of positives (n,) of all objects of a batch."""
    boxes = torch.cat(list(targets.boxes)).double().cpu().numpy()
    sides = boxes[:, 2:4] if boxes.shape[1] == 5 else boxes[:, 2:] - boxes[:, :2]
    labels = torch.cat(list(targets.labels)).cpu().numpy()
    image, anchor = targets.positives.nonzero(as_tuple=True)
    owner, image = torch.stack((targets.object[image, anchor], image)).cpu().numpy()
    starts = np.cumsum([0, *map(len, targets.boxes)])
    return labels, sides, np.bincount(owner + starts[image], minlength=len(boxes))


def too_small(branches: Sequence[BranchMeasures], head: Head) -> int:
    """Objects, a side of which is less than the finest cell, that have no positive in a branch; of the worst branch."""
    finest = min(level.stride for level in head.levels)
    return max((int(((one.sides.min(1) < finest) & (one.positives == 0)).sum()) for one in branches), default=0)


def too_large(branches: Sequence[BranchMeasures], head: Head) -> int:
    """Objects that reach further from their middle than the bins of the coarsest level can say."""
    if head.reg_max <= 1 or not branches:
        return 0
    reach = (head.reg_max - 1) * max(level.stride for level in head.levels)
    return int((branches[0].sides.max(1) / 2 > reach).sum())


@contextmanager
def driven(modules: Mapping[int, nn.Module]) -> Iterator[dict[int, Tensor]]:
    """Within the block, the root mean square of the first map that each level's module reads; it stays on its device.

    The hooks hold nothing but the dictionary, and are gone after the block.
    """
    found: dict[int, Tensor] = {}

    def listen(level: int):
        def note(module: nn.Module, args: tuple) -> None:
            if level not in found and args and isinstance(args[0], Tensor):
                norm = torch.linalg.vector_norm(args[0].detach(), dtype=torch.float32)
                found[level] = norm / args[0].numel() ** 0.5

        return note

    with ExitStack() as hooks:
        for level, module in modules.items():
            hooks.enter_context(module.register_forward_pre_hook(listen(level)))
        yield found
