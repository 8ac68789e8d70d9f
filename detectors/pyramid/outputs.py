"""What the levels of a head put out, side by side: anchor points, and values in the order of the anchors."""

from collections.abc import Sequence

import torch
from torch import Tensor

from anatomy.head.pyramid import Pyramid


def points(shapes: Sequence[tuple[int, int]], strides: Sequence[float], like: Tensor) -> tuple[Tensor, Tensor]:
    """Anchor points (2, A) xy px, the middles of all cells row by row and level by level, and their strides (A,)."""
    pyramid = Pyramid.of(shapes, strides)
    middles = torch.from_numpy(pyramid.points()).T.float()
    steps = torch.tensor(strides, dtype=torch.float32).repeat_interleave(torch.tensor(pyramid.counts))
    return middles.to(like.device), steps.to(like.device)


def grids(levels: Sequence[Tensor]) -> list[tuple[int, int]]:
    """Rows and columns of each level, of tensors (B, c, h, w)."""
    return [(level.shape[2], level.shape[3]) for level in levels]


def flat(levels: Sequence[Tensor]) -> Tensor:
    """(B, c, h, w) a level -> (B, A, c), level by level and row by row."""
    return torch.cat([level.flatten(2) for level in levels], 2).permute(0, 2, 1)
