"""A coarse occlusion of the object alone: what its box, cut into a few patches, loses with each."""

import numpy as np
import torch

from .perturbation_frame import emptied, whole
from .subject import Subject

MARGIN = 0.15  # of the box's sides that the patches reach beyond it
BATCH = 9


def patch_losses(one: Subject, patches: int) -> np.ndarray:
    """How far the number falls when each of ``patches`` × ``patches`` parts of the box is replaced by the mean colour.

    In px of the network input, (h, w) float32, every px with the fall of its part, smoothed by half a part; 0 beyond.
    """
    import cv2

    frame, empty = whole(one.trace), emptied(one.trace)
    x1, y1, x2, y2 = one.trace.letterbox.to_input(one.box)
    wide, tall = max(x2 - x1, 1.0), max(y2 - y1, 1.0)
    height, width = one.trace.input_shape
    cols = np.floor((np.arange(width) + 0.5 - x1 + MARGIN * wide) / (wide * (1 + 2 * MARGIN)) * patches)
    rows = np.floor((np.arange(height) + 0.5 - y1 + MARGIN * tall) / (tall * (1 + 2 * MARGIN)) * patches)
    inside = ((rows >= 0) & (rows < patches))[:, None] & ((cols >= 0) & (cols < patches))[None]
    part = np.where(inside, rows[:, None] * patches + cols[None], -1).astype(np.int64)
    masks = torch.from_numpy(part).to(frame.device) == torch.arange(patches**2, device=frame.device).view(-1, 1, 1, 1)
    with torch.no_grad():
        numbers = [one.of_images(torch.where(some, empty, frame)) for some in masks.split(BATCH)]
        lost = (one.value - torch.cat(numbers).float()).cpu().numpy()
    losses = np.where(part >= 0, lost[part], 0).astype(np.float32)
    sigma = (wide * tall) ** 0.5 / patches / 2
    return cv2.GaussianBlur(losses, (0, 0), sigma, borderType=cv2.BORDER_REFLECT) if sigma > 0.2 else losses
