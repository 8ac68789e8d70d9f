"""How far two tensors of one shape lie apart."""

import torch
from torch import Tensor

from .equivalence import Difference


def difference(path: str, kind: str, turn: int, mine: Tensor, other: Tensor) -> Difference:
    """How far two tensors of one shape lie apart; values that are not finite in one of them alone: infinitely."""
    mine, other = mine.detach().cpu().double(), other.detach().cpu().double()
    apart = (mine - other).abs()
    apart[(mine == other) | (mine.isnan() & other.isnan())] = 0
    apart = apart.nan_to_num(nan=torch.inf, posinf=torch.inf)
    finite = mine[mine.isfinite()]
    scale = float(finite.abs().max()) if finite.numel() else 0.0
    return Difference(
        path=path,
        type=kind,
        turn=turn,
        shape=tuple(mine.shape),
        largest=float(apart.max()) if apart.numel() else 0.0,
        scale=scale,
    )
