"""One batch listened to while the training runs it, and the row that comes of it."""

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from itertools import product
from typing import Any

from torch import Tensor, nn

from anatomy.errors import UnsupportedModelError
from anatomy.head.batch_targets import BatchTargets, numbers
from anatomy.head.following import Training

from .history import Seen
from .label_faults import LabelCount
from .measures import driven, measured, too_large, too_small
from .network_parts import NetworkParts, Stack


class _BrokenOff(Exception):
    """Thrown into what listens to a batch that never comes to its end."""


class Listening:
    """Hooks on criterion and head of one batch, from before its forward pass until ``close`` or ``break_off``."""

    def __init__(self, training: Training, modules: dict[int, nn.Module]):
        self._training, self._hooks = training, ExitStack()
        self._targets: list[BatchTargets] = []
        self._driven: dict[int, Tensor] = {}
        with ExitStack() as hooks:
            with suppress(UnsupportedModelError):  # of a family without a known criterion: gradients and scales alone
                self._targets = hooks.enter_context(training.head.listening(training.criterion()))
            self._driven = hooks.enter_context(driven(modules))
            self._hooks = hooks.pop_all()

    def break_off(self) -> None:
        """Take the hooks out; nothing is made of what they noted."""
        self._hooks.__exit__(_BrokenOff, _BrokenOff(), None)

    def close(self, place: dict[str, Any], labels: LabelCount) -> Seen:
        """Take the hooks out; the row of the batch with those of its levels, but for the gradient.

        ``place`` is what the row begins with.
        """
        self._hooks.close()
        training, head = self._training, self._training.head
        branches = [measured(targets, head) for targets in self._targets]
        items = numbers(training.items) or {
            name: value for one in self._targets if one.reported for name, value in one.items.items()
        }
        row = place | {name.removesuffix("_loss"): value for name, value in items.items()}
        row |= {"box_outside": labels.outside, "class_outside": labels.strange}
        row |= {"too_small": too_small(branches, head), "too_large": too_large(branches, head)}
        for targets in self._targets[:1]:
            (rows, columns), stride = targets.pyramid.shapes[0], head.levels[0].stride
            row |= {"images": len(targets.object), "height": round(rows * stride), "width": round(columns * stride)}
            row |= {"objects": sum(map(len, targets.labels))}
        scales = numbers(self._driven)
        levels = [level | {"activation": scales.get(level["level"])} for one in branches for level in one.levels]
        return Seen(row=row, levels=levels, branches=branches)


def place_of(training: Training, step: int, batch: int, began: float) -> dict[str, Any]:
    """Which batch it is, and what the trainer says of it; ``began`` by the monotonic clock."""
    return {
        "step": step,
        "epoch": training.epoch,
        "batch": batch,
        "seconds": time.monotonic() - began,
        "rate": None if math.isnan(training.rate) else training.rate,  # not known
        "loss": None if training.loss is None else float(training.loss.detach()),
    }


def add_gradients(waiting: Sequence[Seen], parts: NetworkParts, scale: float | None, accumulated: int) -> None:
    """The gradient as it is now, the sum over so many batches, into the row of the last of them that is watched: it is
    one measurement. The others get the number of batches alone.

    Of a stack without trainable weights it is None, of one that no gradient reaches 0.
    """
    for seen in waiting:
        seen.row["accumulated"] = accumulated
    last = waiting[-1]
    coarse, stacks = parts.gradients().read(scale)
    last.row.update(coarse | {"scale": scale})
    trainable = {stack for stack in parts.stack if stack is not None}
    for level, kind in product(last.levels, ("box", "class")):
        stack = Stack(level["level"], level["branch"], kind)
        level[f"grad_{kind}"] = stacks.get(stack, 0.0) if stack in trainable else None
