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
    """A copy of ``weights`` on their device, renewed before each step."""

    def __init__(self, weights: Sequence[nn.Parameter]):
        self._weights: list[Tensor] = list(weights)
        self._copy = [weight.detach().clone() for weight in weights]

    @torch.no_grad()
    def renew(self) -> None:
        """Copy them as they are now; the device is not waited for."""
        _foreach_copy_(self._copy, self._weights)

    @contextmanager
    def back(self) -> Iterator[None]:
        """Within the block the network has the weights of the copy."""
        with torch.no_grad():
            now = [weight.clone() for weight in self._weights]
            _foreach_copy_(self._weights, self._copy)
        try:
            yield
        finally:
            with torch.no_grad():
                _foreach_copy_(self._weights, now)
