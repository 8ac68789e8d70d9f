"""What a loop of one's own leaves out between its blocks: a step of the optimizer, the emptying of gradients, a loss
that hangs on the network. Told by versions of tensors, for which no device is waited for, and made sure of by values:
fused optimizers, and those that write to ``weight.data``, step without a trace in versions."""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .backward import GradientMark

DEAD = 3  # blocks in a row without any gradient, or with gradients that were kept at watched ones
EMPTIED, SUMMED, SCALED = 20, 100, 200  # blocks without a step: gradients emptied; summed; of a scaler, which may skip


@dataclass(frozen=True)
class Fault:
    """What a loop leaves out: "dead", "unstepped", "kept"; in how many ``blocks`` by now. ``sure``: by no accident."""

    kind: str
    blocks: int
    sure: bool = True


class LoopFaults:
    """Told when each block of a loop begins and ends; nothing is kept alive."""

    def __init__(self, weights: Sequence[nn.Parameter]):
        self._weights = [weight for weight in weights if weight.requires_grad]
        self._version: int | None = None  # of all weights together, when the last block began
        self._after: GradientMark | None = None  # gradients when the last block ended
        self._dead = self._unstepped = self._kept = self._kept_watched = 0
        self._summed = False  # whether gradients outlived a block since the last step
        self._norms: list[float] = []
        self._probe: nn.Parameter | None = None  # a weight that gets gradients
        self._held: weakref.ref[Tensor] | None = None  # its gradient, when the last block ended
        self._entry: tuple[weakref.ref[Tensor], int] | None = None  # when this one began after a step, if it is watched
        self._came = False  # whether the last block left a gradient

    def block_begins(self, *, watched: bool, scaled: bool) -> Fault | None:
        """Before the forward pass: what is left out by now, if anything."""
        version = sum(weight._version for weight in self._weights)
        stepped, self._version = self._version is not None and version != self._version, version
        if self._after is None:
            return None
        idle = not stepped and not self._after.changed  # nothing happened since the last block
        self._dead = self._dead + 1 if idle and not self._came else 0
        kept = self._is_kept
        self._kept = self._kept + 1 if kept else 0
        self._look_at_entry(kept=kept and stepped, watched=watched)
        if stepped or not self._came:
            self._unstepped, self._summed = 0, False
        else:
            self._unstepped, self._summed = self._unstepped + 1, self._summed or kept
        if self._dead == DEAD:
            return Fault("dead", DEAD)
        return self._without_step(scaled=scaled)

    def block_ends(self, *, came: bool) -> Fault | None:
        """After the backward pass; ``came``: whether it left a gradient."""
        self._came, self._after = came, GradientMark(self._weights)
        added = self._entry is not None and self._is_added(*self._entry)
        if self._entry is not None:
            self._kept_watched = self._kept_watched + 1 if added else 0
        self._entry = None
        if self._probe is None:
            self._probe = next((weight for weight in reversed(self._weights) if weight.grad is not None), None)
        gradient = self._probe.grad if self._probe is not None else None
        self._held = weakref.ref(gradient) if gradient is not None else None
        return Fault("kept", self._kept, sure=False) if added and self._kept_watched == DEAD else None

    @property
    def _is_kept(self) -> bool:
        """Whether the gradient is that with which the last block ended, clipped or not, and not done away with."""
        gradient = self._probe.grad if self._probe is not None else None
        return gradient is not None and self._held is not None and self._held() is gradient

    def _look_at_entry(self, *, kept: bool, watched: bool) -> None:
        """Remember what a watched block begins with, if the optimizer stepped and left its gradient there."""
        if not watched:
            return
        gradient = self._probe.grad if self._probe is not None else None
        if kept and gradient is not None and bool(gradient.any()):
            self._entry = weakref.ref(gradient), gradient._version
        else:
            self._kept_watched = 0

    def _is_added(self, held: "weakref.ref[Tensor]", version: int) -> bool:
        """Whether one backward pass was added to this gradient and nothing else done to it, such as emptying."""
        gradient = self._probe.grad if self._probe is not None else None
        return gradient is not None and held() is gradient and gradient._version == version + 1

    def _without_step(self, *, scaled: bool) -> Fault | None:
        """Whether so many blocks in a row left the weights as they were, by versions and by values, that it is told."""
        limit = SCALED if scaled else SUMMED if self._summed else EMPTIED
        if self._unstepped == limit // 2:
            self._norms = self._weight_norms()
        if self._unstepped != limit:
            return None
        same = self._norms == self._weight_norms()
        return Fault("unstepped", limit, sure=not self._summed) if same else None

    def _weight_norms(self) -> list[float]:
        with torch.no_grad():
            return torch.stack([weight.detach().double().norm() for weight in self._weights]).tolist()
