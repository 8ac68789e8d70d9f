"""What is noted of a criterion while the trainer calls it: references alone, nothing is computed or copied."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Call:
    """A part of a criterion that was called: what with, what it answered, and how to call it again."""

    again: Any  # the module or method
    args: tuple[Any, ...]
    more: Mapping[str, Any]  # arguments by name
    answer: Any

    @classmethod
    def of(cls, again: Callable[..., Any], args: tuple, more: Mapping[str, Any], answer: Any) -> "Call":
        """The call with its tensors apart from their graphs."""
        named = {name: without_gradient(value) for name, value in more.items()}
        return cls(again=again, args=without_gradient(args), more=named, answer=without_gradient(answer))

    def differentiable(self) -> "Call":
        """The same, clones standing for tensors of inference mode, through which no gradient can flow."""
        named = {name: _differentiable(value) for name, value in self.more.items()}
        return replace(self, args=_differentiable(self.args), more=named, answer=_differentiable(self.answer))


@dataclass(frozen=True)
class Casting:
    """The automatic casts that were in force, under which a part says the same again."""

    device: str
    enabled: bool
    dtype: torch.dtype

    @classmethod
    def now(cls, device: str) -> "Casting":
        """Those of the running thread."""
        return cls(device, torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))

    def again(self) -> torch.autocast:
        """A block under the same casts."""
        return torch.autocast(self.device, dtype=self.dtype, enabled=self.enabled, cache_enabled=False)


@dataclass
class Note:
    """One call of the loss of one branch: its grids, batch, gains and items, and the calls of its parts by name.

    ``entropy`` (B, A): the class loss of each cell before gain and division. Tensors are those of the trainer, without
    their gradient.
    """

    branch: str
    weight: float
    reported: bool
    criterion: Any
    grids: list[tuple[int, int]]
    batch: Mapping[str, Tensor]
    casting: Casting
    calls: dict[str, list[Call]] = field(default_factory=dict)
    entropy: Tensor | None = None
    items: Mapping[str, Tensor] = field(default_factory=dict)

    def add(self, name: str, call: Call) -> None:
        """Note a call of the part of this name."""
        self.calls.setdefault(name, []).append(call)

    def differentiable(self) -> "Note":
        """The same with calls that can be repeated with gradient."""
        calls = {name: [call.differentiable() for call in calls] for name, calls in self.calls.items()}
        return replace(self, calls=calls)

    def only(self, name: str) -> Call | None:
        """The one call of a part; None where it was not called."""
        found = self.calls.get(name, [])
        if len(found) > 1:
            raise RuntimeError(f"The criterion called its {name} {len(found)} times in one loss, where once is known.")
        return found[0] if found else None

    @cached_property
    def positive(self) -> tuple[Tensor, Tensor]:
        """Image and anchor (m,) of every positive cell, in the order in which the criterion has them."""
        return self.assigned.answer[3].nonzero(as_tuple=True)

    @property
    def assigned(self) -> Call:
        """The call of the assigner."""
        call = self.only("assigner")
        if call is None:
            raise RuntimeError("The criterion returned a loss without asking its assigner.")
        return call

    @cached_property
    def mass(self) -> Tensor:
        """What the losses are divided by: the sum of all target scores, at least 1."""
        return self.assigned.answer[2].sum().clamp(min=1)


def without_gradient(value: Any) -> Any:
    """The same tensor, or tuple of tensors, apart from its graph."""
    if isinstance(value, Tensor):
        return value.detach()
    return tuple(map(without_gradient, value)) if isinstance(value, tuple) else value


def _differentiable(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone() if value.is_inference() else value
    return tuple(map(_differentiable, value)) if isinstance(value, tuple) else value
