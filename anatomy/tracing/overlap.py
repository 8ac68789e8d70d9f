"""Intersection over union of upright boxes."""

import numpy as np
import torch
from numpy.typing import ArrayLike


def pair_overlaps(first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """IoU (n, m) float64 of boxes (n, 4) and (m, 4) xyxy; 0 where both are empty.

    A box whose right or lower side lies before the other one is empty.
    """
    from torchvision.ops import box_iou

    found = box_iou(_filled(first), _filled(second))
    return found.nan_to_num(0.0).numpy()


def _filled(boxes: ArrayLike) -> torch.Tensor:
    """Boxes (n, 4) as float64, none of them inside out."""
    given = torch.from_numpy(np.array(boxes, dtype=np.float64).reshape(-1, 4))
    given[:, 2:] = torch.maximum(given[:, :2], given[:, 2:])
    return given
