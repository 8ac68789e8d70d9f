"""What a training loop asks of whoever watches it, step by step."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from torch import Tensor


class Told(Protocol):
    """What a step is told through."""

    def tell(self, loss: Tensor) -> Tensor:
        """The scalar whose gradient is taken; returns it."""
        ...


class Watching(Protocol):
    """Watches a training, such as what ``diagnosis.watch(net)`` returns."""

    def step(self, inputs: Any, targets: Any, *, epoch: int = 0) -> AbstractContextManager[Told]:
        """A block around the forward pass, the loss and the backward pass of one step."""
        ...


class Unwatched:
    """Nobody watches."""

    @contextmanager
    def step(self, inputs: Any, targets: Any, *, epoch: int = 0) -> "Iterator[Unwatched]":
        """A block in which nothing else happens."""
        yield self

    def tell(self, loss: Tensor) -> Tensor:
        """Nothing is made of it."""
        return loss
