"""Which sides of boxes end where their level's bins end."""

import numpy as np
import torch
from torch import Tensor

NEAREST = 0.5  # bins: a mean that lies closer to the last bin than to any other


def sides_at_the_ceiling(box_logits: Tensor, reg_max: int, anchors: np.ndarray) -> np.ndarray:
    """(n, 4) bool: whether left, top, right, lower side of the boxes of ``anchors`` (n,) end at the ceiling.

    With DFL (https://arxiv.org/abs/2006.04388) a side is the mean of ``reg_max`` bins of one stride, so none lies
    further from its cell than (reg_max - 1) strides; one whose mean is nearest to the last bin would mostly lie further
    if it could. ``box_logits`` (4 * reg_max, A). All False without DFL.
    """
    if reg_max <= 1 or not len(anchors):
        return np.zeros((len(anchors), 4), bool)
    chosen = torch.from_numpy(np.array(anchors, np.int64)).to(box_logits.device)
    bins = box_logits[:, chosen].float().unflatten(0, (4, reg_max)).softmax(1)
    mean = torch.einsum("sbn,b->ns", bins, torch.arange(reg_max, dtype=bins.dtype, device=bins.device))
    return (mean >= reg_max - 1 - NEAREST).cpu().numpy()
