"""Values of queries laid upon the grids of the levels, at the cells that the queries began at."""

import torch
from torch import Tensor

from ....head.pyramid import Pyramid


def on_grids(values: Tensor, chosen: Tensor, pyramid: Pyramid, elsewhere: float) -> tuple[Tensor, ...]:
    """Values (B, q, c) of queries as (B, c, h, w) a level, ``elsewhere`` in all other cells; differentiable.

    ``chosen`` (B, q): the anchors at which the queries began.
    """
    batch, _, channels = values.shape
    return laid_upon(values.new_full((batch, pyramid.count, channels), elsewhere), values, chosen, pyramid)


def laid_upon(ground: Tensor, values: Tensor, chosen: Tensor, pyramid: Pyramid) -> tuple[Tensor, ...]:
    """The same over what the cells hold themselves, ``ground`` (B, A, c)."""
    laid = ground.scatter(1, chosen[..., None].expand(-1, -1, values.shape[2]), values)
    return pyramid.split(laid.transpose(1, 2).contiguous())


def at_queries(levels: tuple[Tensor, ...], chosen: Tensor) -> Tensor:
    """Values (c, h, w) a level at the anchors of queries (q,), as (1, q, c)."""
    flat = torch.cat([level.flatten(1) for level in levels], 1)
    return flat[:, chosen].T.contiguous()[None]
