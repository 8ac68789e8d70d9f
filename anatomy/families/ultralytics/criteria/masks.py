"""What each positive cell pays for its mask."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .boxes import linear_shares
from .notes import Call


def mask_shares(calls: Sequence[Call], count: int, like: Tensor) -> Tensor:
    """The shares (m,) of ``count`` positive cells in the mask loss; ``calls`` in their order, one an image with some.

    Each cell's term is divided by the area of its box, so with area / weight the loss is linear in the weight.
    """
    shares = [_of_image(call) for call in calls]
    return torch.cat(shares).to(like) / count if shares else like.new_zeros(count)


def _of_image(call: Call) -> Tensor:
    masks, coefficients, prototypes, boxes, area = call.args
    weight = torch.ones_like(area).requires_grad_()
    return linear_shares(call.again(masks, coefficients, prototypes, boxes, area / weight), weight)
