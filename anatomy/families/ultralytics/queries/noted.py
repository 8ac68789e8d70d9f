"""Which entries torch itself chose while a block ran: the indices of its top-k and of its masks."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Noted(TorchFunctionMode):
    """Within the block, ``top`` gains the indices of every ``topk``, and ``kept`` those of every mask of one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.top: list[Tensor] = []
        self.kept: list[Tensor] = []

    def __torch_function__(
        self, function: Callable, types: Sequence[type], args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function as it would be called without this, and note what it chose."""
        made = function(*args, **(kwargs or {}))
        if function is Tensor.topk:
            self.top.append(made.indices)
        elif function is Tensor.__getitem__ and _is_mask(args[1]):
            self.kept.append(args[1].nonzero().view(-1))
        return made


def _is_mask(key: Any) -> bool:
    return isinstance(key, Tensor) and key.dtype == torch.bool and key.ndim == 1
