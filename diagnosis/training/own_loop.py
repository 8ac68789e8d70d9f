"""A training in a loop of one's own, as a watcher asks for it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler, OptState

from anatomy.errors import UnsupportedModelError
from anatomy.head.head import Head


class OwnLoop:
    """What is known of a training whose loop is not ours; ``loss`` and ``items`` are told during a step.

    ``measure(outputs, targets)`` makes the loss, and ``criterion`` can be listened to, where the caller gave them.
    """

    epochs = 0
    per_epoch = 0
    images: tuple[int, int] | None = None  # not known
    labelled: Mapping[int, int] | None = None  # likewise
    rate = float("nan")
    lasting = False  # what the loop does with its tensors after a step is not known
    settings: Mapping[str, Any] = MappingProxyType({})
    gains: Mapping[str, float] = MappingProxyType({})  # not known

    def __init__(
        self,
        head: Head,
        measure: Callable[..., Tensor] | None,
        criterion: Any,
        *,
        resumed: bool,
        compiled: bool = False,
    ):
        self.head, self._measure, self._criterion = head, measure, criterion
        self.resumed, self._compiled = resumed, compiled
        self.epoch = 0
        self.loss: Tensor | None = None
        self.backward_seen: bool | None = None  # whether a backward pass came to the loss; None where it was not told
        self.items: Mapping[str, Tensor] = {}
        self.scaler: GradScaler | None = None

    @property
    def compiled(self) -> bool:
        """Whether torch.compile runs the network, as a wrapper or in place: hooks laid later are ignored."""
        return self._compiled or self.net._compiled_call_impl is not None

    @property
    def scaled(self) -> bool:
        """Whether the scaler of the step under way multiplies gradients."""
        return self.scaler is not None and self.scaler.is_enabled()

    @property
    def scale(self) -> float | None:
        """By what; None where there is no scaler, or where it has taken its scale out again, as for clipping."""
        if self.scaler is None or not self.scaled or unscaled(self.scaler):
            return None
        return float(self.scaler.get_scale())

    @property
    def net(self) -> nn.Module:
        """The network."""
        return self.head.net

    @property
    def folder(self) -> Path:
        """There is none that is known."""
        raise ValueError("A loop of your own has no folder that is known. Give watch(…, out=folder).")

    @property
    def cut_off(self) -> bool:
        """Whether the loss that was told hangs on nothing, or its backward pass came, though no gradient did."""
        return self.loss is not None and (self.loss.grad_fn is None or bool(self.backward_seen))

    def note_backward(self, gradient: Tensor) -> None:
        """A backward pass comes to the loss."""
        self.backward_seen = True

    def criterion(self) -> Any:
        """What was given, or what the head says."""
        return self.head.criterion() if self._criterion is None else self._criterion

    @property
    def unheard(self) -> str | None:
        """Why there is no criterion to listen to, where what the network lacks for one can be named; else None."""
        try:
            self.criterion()
        except UnsupportedModelError as error:
            return str(error)
        return None

    @property
    def replayable(self) -> bool:
        """Whether a function for the loss was given."""
        return self._measure is not None

    def precision(self) -> AbstractContextManager:
        """That in which ``step`` ends: under autocast, if it stands in such a block."""
        return nullcontext()

    def loss_of(self, outputs: Any, targets: Any = None) -> Tensor:
        """By the function that was given as ``loss``."""
        if self._measure is None:
            raise ValueError("To name the layer that is not finite, a loss is needed: watch(model, loss=…).")
        return self._measure(outputs, targets)

    def log(self, scalars: Mapping[str, float], step: int) -> None:
        """There are no loggers that are known."""


def unscaled(scaler: GradScaler) -> bool:
    """Whether ``unscale_`` was called since the last ``update``."""
    return any(state["stage"] is OptState.UNSCALED for state in scaler._per_optimizer_states.values())


class Step:
    """One step of a loop of one's own; ``told`` before the block ends, the loss goes into the record."""

    def __init__(self, training: OwnLoop):
        self._training = training

    def tell(self, loss: Tensor, items: Mapping[str, Any] | None = None) -> Tensor:
        """The scalar whose gradient is taken, and its parts by name; returns the loss."""
        training = self._training
        training.loss, training.backward_seen = loss, False
        if loss.requires_grad:
            loss.register_hook(training.note_backward)
        training.items = {name: torch.as_tensor(value) for name, value in (items or {}).items()}
        return loss
