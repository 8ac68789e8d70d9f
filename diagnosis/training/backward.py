"""Whether a backward pass came: gradients as they are now, compared with what they were, without a copy or a hook."""

import weakref
from collections.abc import Sequence

from torch import Tensor, nn


class GradientMark:
    """The gradients of weights at one moment; they are not kept alive, and no device is waited for."""

    def __init__(self, weights: Sequence[nn.Parameter]):
        self._weights = [weight for weight in weights if weight.requires_grad]
        self._before = [_state(weight.grad) for weight in self._weights]

    @property
    def changed(self) -> bool:
        """Whether any of them was made or written to since; True where no weight takes one."""
        pairs = zip(self._weights, self._before, strict=True)
        return not self._weights or any(_is_new(weight.grad, before) for weight, before in pairs)


def _state(gradient: Tensor | None) -> tuple["weakref.ref[Tensor]", int] | None:
    return None if gradient is None else (weakref.ref(gradient), gradient._version)


def _is_new(gradient: Tensor | None, before: tuple["weakref.ref[Tensor]", int] | None) -> bool:
    if gradient is None or before is None:
        return gradient is not None
    held, version = before
    return held() is not gradient or version != gradient._version
