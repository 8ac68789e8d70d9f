"""The weights before a step that must not wait until it is known whether they will be spoiled."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import (
    Tensor,
    _foreach_copy_,  # pyright: ignore[reportPrivateImportUsage]  # no public name; all copies in one call
    nn,
)


class SparedWeights:
    """A copy of ``weights``, at least one, on their device, renewed before each step.

    On a GPU the copying is recorded, so that to give it to the device again takes microseconds.
    """

    def __init__(self, weights: Sequence[nn.Parameter]):
        self._given = weights
        self._places: list[int] = []  # in memory; a weight that is given another has to be looked up again
        self._weights: list[Tensor] = []
        self._copy: list[Tensor] = []
        self._recorded: torch.cuda.CUDAGraph | None = None

    def renew(self) -> None:
        """Copy them as they are now; the device is not waited for, but at the first time."""
        places = [weight.data_ptr() for weight in self._given]
        if places != self._places:
            self._look_up()
            self._places = places
        elif self._recorded is None:
            _foreach_copy_(self._copy, self._weights)
        else:
            self._recorded.replay()

    @contextmanager
    def back(self) -> Iterator[None]:
        """Within the block the network has the weights of the copy."""
        now = [weight.clone() for weight in self._weights]
        _foreach_copy_(self._weights, self._copy)
        try:
            yield
        finally:
            _foreach_copy_(self._weights, now)

    def _look_up(self) -> None:
        self._weights = [weight.detach() for weight in self._given]
        self._copy = [weight.clone() for weight in self._weights]
        self._recorded = self._record() if self._weights[0].is_cuda else None

    def _record(self) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._weights[0].device), torch.cuda.graph(graph, capture_error_mode="thread_local"):
            _foreach_copy_(self._copy, self._weights)
        return graph
