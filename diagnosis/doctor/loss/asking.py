"""Asking a loss, and keeping what its calls themselves show."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..boxes.writing import stored
from ..copying import copied
from ..layout import TargetLayout
from .keeping import Kept, kept

Levels = Sequence[np.ndarray]
"""(B, A, C, H, W) a level."""


class Failed(Exception):
    """A call that gives no loss; ``code`` names the fault."""

    def __init__(self, code: str, what: str):
        super().__init__(what)
        self.code = code


@dataclass
class Asker:
    """Asks, counts, and keeps which questions had no finite answer; ``changed``: whether arguments were changed.

    ``fresh``: each question is put to a new copy of the loss as it was in the beginning, for one that remembers.
    ``seeded``: random numbers are the same at each question, for one that draws some. ``hopeless``: none of it helps.
    ``device``: where ``prepare`` puts predictions, and so targets too. ``through``: the flat places from which
    predictions of these shapes are taken before they are given, for a loss that reads them in another order.
    """

    loss: Callable
    layout: TargetLayout
    prepare: Callable | None
    asked: int = 0
    infinite: list[str] = field(default_factory=list)
    changed: str = ""
    fresh: bool = False
    seeded: bool = False
    hopeless: bool = False
    spare: Callable | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    through: Callable[[Sequence[torch.Size]], Sequence[Tensor]] | None = None

    kept: Kept = field(init=False)

    def __post_init__(self):
        self.spare, self.kept = copied(self.loss), kept(self.loss)

    def raw(self, levels: Levels) -> list[Tensor]:
        """The raw predictions that mean these levels."""
        tensors = self.tensors(levels)
        if self.prepare is None:
            return tensors
        given = tensors[0] if self.flat else tensors
        made = self.prepare(given)
        parts = [made] if isinstance(made, Tensor) else list(made)
        self.device = parts[0].device
        return [part.detach().cpu().clone() for part in parts]

    def tensors(self, levels: Levels) -> list[Tensor]:
        """Levels in the layout's storage."""
        return stored(levels, self.layout)

    @property
    def flat(self) -> bool:
        """Whether all levels stand in one tensor."""
        return self.layout.axes.removeprefix("B") == "NC"

    def value(self, predictions: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
        """The loss, with its graph; Failed where there is none."""
        self.asked += 1
        wanted = [level.clone().to(self.device) for level in targets]
        shown = [level.to(self.device) for level in predictions]
        if self.through is not None:
            places = self.through([level.shape for level in shown])
            shown = [level.flatten()[at].reshape(level.shape) for level, at in zip(shown, places, strict=True)]
        before = [level.detach().cpu().clone() for level in shown]
        given = shown[0] if self.flat else list(shown)
        try:
            value = self._call(given, wanted[0] if self.flat else wanted)
        except Exception as error:
            raise Failed("raises", f"it raises {type(error).__name__}: {error}"[:200]) from error
        if not isinstance(value, Tensor) or value.numel() != 1:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise Failed("wrong_output", f"a scalar tensor is needed, but {shape} came")
        for name, now, then in (("targets", wanted, targets), ("predictions", shown, before)):
            if not all(_same(a.detach().cpu(), b) for a, b in zip(now, then, strict=True)):
                self.changed = name
        return value.reshape(()).cpu()

    def _call(self, *given: object) -> object:
        loss = copied(self.spare) if self.fresh and self.spare is not None else self.loss
        random = torch.random.fork_rng(devices=[]) if self.seeded else nullcontext()
        with random, self.kept.anew() if self.fresh else nullcontext():
            if self.seeded:
                torch.manual_seed(0)
            return loss(*given)

    def __call__(self, meant: Levels, targets: Levels, what: str) -> float:
        """The loss of predictions that mean these levels; ``what`` they are, in words."""
        return self.of_raw(self.raw(meant), targets, what)

    def of_raw(self, predictions: Sequence[Tensor], targets: Levels, what: str) -> float:
        """The loss of raw predictions; NaN and infinity are kept and told in the end."""
        found = float(self.value(predictions, self.tensors(targets)).detach())
        if not np.isfinite(found):
            self.infinite.append(what)
        return found

    def pulls(self, predictions: Sequence[Tensor], targets: Sequence[Tensor]) -> list[Tensor] | None:
        """The gradient by raw predictions, in their storage; None where autograd sees no dependence on them."""
        leaves = [level.detach().clone().requires_grad_() for level in predictions]
        value = self.value(leaves, targets)
        if not torch.isfinite(value):
            self.infinite.append("a prediction that is not quite right")
        if not value.requires_grad:
            return None
        pairs = zip(gradient(value, leaves), leaves, strict=True)
        return [torch.zeros_like(leaf) if grad is None else grad for grad, leaf in pairs]


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same; NaN is like NaN."""
    return torch.equal(one, other) or torch.equal(torch.nan_to_num(one, nan=0.5), torch.nan_to_num(other, nan=0.5))


def gradient(value: Tensor, leaves: Sequence[Tensor]) -> Sequence[Tensor | None]:
    """The gradient by leaves, None by those that it does not depend on; Failed where autograd raises."""
    try:
        return torch.autograd.grad(value, list(leaves), allow_unused=True)
    except RuntimeError as error:
        raise Failed("raises", f"its gradient raises {type(error).__name__}: {error}"[:200]) from error
