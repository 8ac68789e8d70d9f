"""What each positive cell pays for where its key points are, whether they are seen, and how sure it is of both."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from .boxes import linear_shares
from .notes import Call


def place_shares(call: Call) -> Tensor:
    """The shares (m,) of the positive cells in the loss of places, which is linear in the flags of key points.

    How many flags of a cell are set counts as well, but not by how much they are.
    """
    found, wanted, seen, area = call.args
    weight = torch.ones((len(seen), 1), device=area.device, dtype=area.dtype).requires_grad_()
    return linear_shares(call.again(found, wanted, seen * weight, area), weight).view(-1)


def seen_shares(call: Call) -> Tensor:
    """The shares (m,) of the positive cells in the mean of the cross-entropy of whether key points are seen."""
    logits, seen = call.args
    return binary_cross_entropy_with_logits(logits, seen, reduction="none").sum(1) / logits.numel()


def likelihood_shares(call: Call, asked: Call) -> Tensor:
    """The shares (m,) of the positive cells in the residual log-likelihood, which is linear in its target weights.

    ``call`` is that of the loss, for single key points; ``asked`` how it came about, for all of the cells. A negative
    sum is cut off at 0 (``PoseLoss26``), and then no cell pays.
    """
    spread, likelihood, error, given = call.args
    weight = given.clone().requires_grad_()
    item = call.again(spread, likelihood, error, weight)
    found, wanted, seen = asked.args
    shares = found.new_zeros(seen.shape, dtype=item.dtype)
    if item > 0:
        shares[_usable(found, wanted, seen)] = linear_shares(item, weight).to(shares)
    return shares.sum(1)


def _usable(found: Tensor, wanted: Tensor, seen: Tensor) -> Tensor:
    """Which key points (m, K) take part: those that are seen and whose error is finite, as ``PoseLoss26`` has it."""
    spread = found[..., -2:].float().sigmoid().clamp_min(torch.finfo(found.dtype).tiny)
    error = (found[..., :2] - wanted[..., :2]) / (spread + 1e-9)
    return seen & error.isfinite().all(-1)
