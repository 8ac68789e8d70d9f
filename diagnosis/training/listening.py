"""One batch listened to while the training runs it, and the row that comes of it."""

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from torch import Tensor, nn

from anatomy.errors import UnsupportedModelError
from anatomy.head.batch_targets import BatchTargets, Reads, numbers
from anatomy.head.following import Training
from anatomy.head.head import Head

from .history import Seen
from .label_faults import LabelCount
from .measures import BranchMeasures, driven, measured, too_large, too_small
from .network_parts import Gradients, NetworkParts, Stack
from .reader import Reader

Branches = list[tuple[BatchTargets, BranchMeasures]]


class _BrokenOff(Exception):
    """Thrown into what listens to a batch that never comes to its end."""


@dataclass
class Watched:
    """A batch of which not all is fetched from its device yet. ``row``: what is known of it, and is added to by who
    learns more; ``scalars`` by what the trainer calls its loss (None) and items; ``driven`` by level."""

    head: Head
    row: dict[str, Any]
    items: Mapping[str, Tensor] = field(default_factory=dict)
    loss: Tensor | None = None
    driven: Mapping[int, Tensor] = field(default_factory=dict)
    branches: "Future[Branches] | None" = None
    gradients: Gradients | None = None

    @property
    def step(self) -> int:
        """Batches before this one."""
        return self.row["step"]

    def seen(self) -> Seen:
        """All of it; this waits for the device."""
        told = self.branches.result() if self.branches is not None else []
        branches = [measures for _, measures in told]
        row = self.row | {"loss": None if self.loss is None else float(self.loss)}
        if self.branches is not None:
            row |= self._measures([targets for targets, _ in told], branches)
        scales = numbers(self.driven)
        levels = [level | {"activation": scales.get(level["level"])} for one in branches for level in one.levels]
        if self.gradients is not None:
            row |= _norms(self.gradients, row["scale"], levels)
        return Seen(row=row, levels=levels, branches=branches)

    def _measures(self, targets: Sequence[BatchTargets], branches: Sequence[BranchMeasures]) -> dict[str, Any]:
        """Loss items, what no cell reaches, and the size of the batch."""
        items = numbers(self.items) or {
            name: value for one in targets if one.reported for name, value in one.items.items()
        }
        row: dict[str, Any] = {name.removesuffix("_loss"): value for name, value in items.items()}
        row |= {"too_small": too_small(branches, self.head), "too_large": too_large(branches, self.head)}
        for one in targets[:1]:
            (rows, columns), stride = one.pyramid.shapes[0], self.head.levels[0].stride
            row |= {"images": len(one.object), "height": round(rows * stride), "width": round(columns * stride)}
            row |= {"objects": sum(map(len, one.labels))}
        return row


class Listening:
    """Hooks on criterion and head of one batch, from before its forward pass until ``close`` or ``break_off``."""

    def __init__(self, training: Training, modules: dict[int, nn.Module], reader: Reader):
        self._training, self._reader, self._hooks = training, reader, ExitStack()
        self._reads: Reads = ()
        self._branches: Future[Branches] | None = None
        self._driven: dict[int, Tensor] = {}
        with ExitStack() as hooks:
            with suppress(UnsupportedModelError):  # of a family without a known criterion: gradients and scales alone
                hooks.enter_context(training.head.noting(training.criterion(), self._take))
            self._driven = hooks.enter_context(driven(modules))
            self._hooks = hooks.pop_all()

    def break_off(self) -> None:
        """Take the hooks out; nothing is made of what they noted."""
        self._hooks.__exit__(_BrokenOff, _BrokenOff(), None)

    def close(self, row: dict[str, Any], labels: LabelCount) -> Watched:
        """Take the hooks out; what was heard of the batch. ``row`` is what its row begins with."""
        self._hooks.close()
        training = self._training
        return Watched(
            head=training.head,
            row=row | {"box_outside": labels.outside, "class_outside": labels.strange},
            items=dict(training.items),
            loss=loss_of(training),
            driven=self._driven,
            branches=self._branches or self._reader.later(self._measured),
        )

    def _take(self, reads: Reads) -> None:
        """What reads the branches; a thread of its own begins while the trainer goes backward."""
        self._reads = reads
        if self._reader.apart:
            self._branches = self._reader.later(self._measured)

    def _measured(self) -> Branches:
        told = [read() for read in self._reads]
        return [(targets, measured(targets, self._training.head)) for targets in told]


def place_of(training: Training, step: int, batch: int, began: float) -> dict[str, Any]:
    """Which batch it is, and what the trainer says of it; ``began`` by the monotonic clock."""
    return {
        "step": step,
        "epoch": training.epoch,
        "batch": batch,
        "seconds": time.monotonic() - began,
        "rate": None if math.isnan(training.rate) else training.rate,  # not known
    }


def loss_of(training: Training) -> Tensor | None:
    """The loss of the batch under way, apart from its graph."""
    return None if training.loss is None else training.loss.detach()


def add_gradients(waiting: Sequence[Watched], parts: NetworkParts, scale: float | None, accumulated: int) -> None:
    """The gradient as it is now, the sum over so many batches, to the last of them that is watched: it is one
    measurement. The others get the number of batches alone."""
    for watched in waiting:
        watched.row["accumulated"] = accumulated
    last = waiting[-1]
    last.row["scale"] = scale
    last.gradients = parts.gradients()


def _norms(gradients: Gradients, scale: float | None, levels: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The norms of the coarse parts; those of each level's stacks go into its row. Of a stack without trainable weights
    it is None, of one that no gradient reaches 0."""
    coarse, stacks = gradients.read(scale)
    trainable = {stack for stack in gradients.parts.stack if stack is not None}
    for level, kind in product(levels, ("box", "class")):
        stack = Stack(level["level"], level["branch"], kind)
        level[f"grad_{kind}"] = stacks.get(stack, 0.0) if stack in trainable else None
    return coarse
