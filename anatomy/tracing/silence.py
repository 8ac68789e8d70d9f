"""Class logits made silent in a pass, and nothing in the model."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..head.classes import Rows
from ..head.forward import Pass
from ..head.levels import SILENT_LOGIT


def silent(pass_: Pass, levels: Sequence[int], classes: Sequence[int], nc: int, each: int) -> Pass:
    """The pass with the logits of these class ids silent at these levels; its end is not done anew.

    ``nc`` classes in all, with ``each`` rows each.

    The rows that it holds are then those that would make them silent, so that a replay knows which logits are not the
    model's.
    """
    logits, chosen = list(pass_.logits), list(classes)
    for level in levels:
        logits[level] = logits[level].clone()
        logits[level].unflatten(0, (-1, nc))[:, chosen] = SILENT_LOGIT
    rows = [_silent_rows(own, chosen, nc, each) if level in levels else own for level, own in enumerate(pass_.rows)]
    return pass_.evolve(logits=tuple(logits), rows=tuple(rows))


def _silent_rows(rows: Rows, chosen: list[int], nc: int, each: int) -> tuple[Tensor, Tensor | None]:
    """The rows that make these classes silent."""
    weight, bias = rows[0].clone(), None if rows[1] is None else rows[1].clone()
    weight.unflatten(0, (-1, nc, each))[:, chosen] = 0 if bias is not None else torch.nan
    if bias is not None:
        bias.unflatten(0, (-1, nc, each))[:, chosen] = SILENT_LOGIT
    return weight, bias
