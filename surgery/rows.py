"""The arithmetic of each operation on the class rows of one convolution; nothing here knows a model.

Each operation takes the weight (nc, c, kh, kw), the bias (nc,) or None and the edit, and returns new tensors.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from anatomy.head.levels import SILENT_LOGIT

from .edit import Edit

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


def edited(weight: Tensor, bias: Tensor | None, edit: Edit, anchors: int = 1) -> Rows:
    """The rows after an edit; where a cell has several anchors, the nc rows of each are edited alike."""
    operation = OPERATIONS[edit.operation]
    if anchors == 1:
        return operation(weight, bias, edit)
    biases = (None,) * anchors if bias is None else bias.chunk(anchors)
    weights, biases = zip(*map(operation, weight.chunk(anchors), biases, (edit,) * anchors), strict=True)
    return torch.cat(weights), None if bias is None else torch.cat(biases)


OPERATIONS: dict[str, Callable[[Tensor, Tensor | None, Edit], Rows]] = {
    "shift_classes": shift,
    "permute_classes": permute,
    "swap_classes": swap,
    "zero_classes": zero,
    "scale_classes": scale,
    "bias_classes": offset,
    "mute_level": zero,
}
