"""What each positive cell pays for its box, the distribution of its sides, and its angle.

These losses are sums over cells, linear in the target scores by which they are weighted: score times gradient is the
share of a cell.
"""

import torch
from torch import Tensor

from .notes import Call, Note


def box_shares(note: Note, call: Call) -> tuple[Tensor, Tensor]:
    """The shares (m,) of the m positive cells in both answers of the box loss, which is asked again for them alone."""
    distances, predicted, points, wanted, scores, mass, _, imgsz, strides = call.args
    image, anchor = note.positive
    weight = scores[image, anchor].sum(-1, keepdim=True).clone().requires_grad_()
    items = call.again(
        distances[image, anchor][None],
        predicted[image, anchor][None],
        points[anchor],
        wanted[image, anchor][None],
        weight[None],
        mass,
        torch.ones((1, len(anchor)), dtype=torch.bool, device=anchor.device),
        imgsz,
        strides[anchor],
    )
    first, second = (linear_shares(item, weight).sum(1) for item in items)
    return first, second


def angle_shares(call: Call) -> Tensor:
    """The shares (m,) of the positive cells in the angle loss."""
    predicted, wanted, positive, given, mass, *rest = call.args
    weight = given.clone().requires_grad_()
    return linear_shares(call.again(predicted, wanted, positive, weight, mass, *rest), weight)


def linear_shares(item: Tensor, weight: Tensor) -> Tensor:
    """The terms of a sum that is linear in ``weight``, in its shape."""
    return (weight * torch.autograd.grad(item, weight, retain_graph=True)[0]).detach()
