"""The arithmetic of each operation on the class rows of one convolution; nothing here knows a model.

Each function takes the weight (nc, c, kh, kw), the bias (nc,) or None and the edit, and returns new tensors.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .edit import Edit

SILENT_LOGIT = -1e4  # its sigmoid is exactly 0 in every precision, and float16 holds it
Rows = tuple[Tensor, Tensor | None]


def shift(weight: Tensor, bias: Tensor | None, edit: Edit) -> Rows:
    k = int(edit.parameters["k"]) % len(weight)
    return weight.roll(k, 0), None if bias is None else bias.roll(k, 0)


def permute(weight: Tensor, bias: Tensor | None, edit: Edit) -> Rows:
    order = torch.tensor(edit.parameters["order"], device=weight.device)
    return weight[order], None if bias is None else bias[order]


def swap(weight: Tensor, bias: Tensor | None, edit: Edit) -> Rows:
    order = torch.arange(len(weight), device=weight.device)
    order[list(edit.classes)] = order[list(edit.classes[::-1])]
    return weight[order], None if bias is None else bias[order]


def zero(weight: Tensor, bias: Tensor | None, edit: Edit) -> Rows:
    weight, chosen, kind = weight.clone(), list(edit.classes), edit.parameters["bias"]
    weight[chosen] = 0
    if kind == "keep":
        return weight, bias
    bias = _own_bias(bias, edit)
    bias[chosen] = SILENT_LOGIT if kind == "silence" else 0.0
    return weight, bias


def scale(weight: Tensor, bias: Tensor | None, edit: Edit) -> Rows:
    weight, chosen, factor = weight.clone(), list(edit.classes), edit.parameters["factor"]
    weight[chosen] *= factor
    if bias is not None:
        bias = bias.clone()
        bias[chosen] *= factor
    return weight, bias


def offset(weight: Tensor, bias: Tensor | None, edit: Edit) -> Rows:
    bias = _own_bias(bias, edit)
    bias[list(edit.classes)] += edit.parameters["delta"]
    return weight, bias


def _own_bias(bias: Tensor | None, edit: Edit) -> Tensor:
    if bias is None:
        raise ValueError(f"{edit.operation} changes the bias, but this class convolution has none. Use scale_classes.")
    return bias.clone()


OPERATIONS: dict[str, Callable[[Tensor, Tensor | None, Edit], Rows]] = {
    "shift_classes": shift,
    "permute_classes": permute,
    "swap_classes": swap,
    "zero_classes": zero,
    "scale_classes": scale,
    "bias_classes": offset,
    "mute_level": zero,
}
