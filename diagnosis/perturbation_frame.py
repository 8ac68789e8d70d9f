"""Network inputs with parts of the photograph replaced: by what, and along which borders."""

import numpy as np
import torch
from torch import Tensor

from anatomy import Trace

from .attribution_place import photo_area

REPLACED = ("mean", "blur", "black")
BLUR = 0.05  # standard deviation of the blur, in longer sides of the network input
SHRINK = 4  # superpixels are sought on so many times fewer px a side
ROUNDS = 5


def whole(trace: Trace) -> Tensor:
    """The network input of a trace, (1, 3, H, W), free for gradients."""
    return trace.frame[None].detach().clone()


def emptied(trace: Trace, by: str = "mean") -> Tensor:
    """The network input without its photograph, (1, 3, H, W): its mean colour, a strong blur of it, or black.

    The padding stays as it is. Raises ValueError for another word.
    """
    if by not in REPLACED:
        raise ValueError(f"A photograph is replaced by one of {', '.join(REPLACED)}, but {by!r} was given.")
    frame = whole(trace)
    inside = torch.from_numpy(photo_area(trace)).to(frame.device)
    if by == "mean":
        other = frame[:, :, inside].mean(2)[..., None, None].expand_as(frame)
    else:
        other = torch.zeros_like(frame) if by == "black" else _blurred(frame)
    return torch.where(inside, other, frame)


def superpixels(trace: Trace, count: int) -> Tensor:
    """About ``count`` regions of alike px of the network input, (1, 1, H, W) int64 from 0; padding is region 0.

    K-means over colour and place, as in SLIC (https://doi.org/10.1109/TPAMI.2012.120), but over all centres.
    """
    import cv2

    inside = photo_area(trace)
    frame = (255 * trace.frame.detach().float().clamp(0, 1)).permute(1, 2, 0).cpu().numpy().astype(np.uint8)
    small = cv2.resize(frame, None, fx=1 / SHRINK, fy=1 / SHRINK, interpolation=cv2.INTER_AREA)
    shown = cv2.resize(inside.astype(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    y, x = np.nonzero(shown)
    height, width = y.max() - y.min() + 1, x.max() - x.min() + 1
    side = (height * width / count) ** 0.5
    rows, cols = max(round(height / side), 1), max(round(width / side), 1)
    start = ((y - y.min()) * rows // height) * cols + (x - x.min()) * cols // width
    colour = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[shown].astype(np.float32)
    points = np.column_stack((colour / 10, 4 * y / side, 4 * x / side)).astype(np.float32)
    ends = (cv2.TERM_CRITERIA_MAX_ITER, ROUNDS, 0.0)
    _, label, _ = cv2.kmeans(
        points, rows * cols, start.astype(np.int32)[:, None].copy(), ends, 1, cv2.KMEANS_USE_INITIAL_LABELS
    )
    regions = np.zeros(shown.shape, np.int32)
    regions[shown] = label[:, 0] + 1
    large = cv2.resize(regions, frame.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    _, dense = np.unique(np.where(inside, large, 0), return_inverse=True)
    return torch.from_numpy(dense.reshape(1, 1, *inside.shape)).to(trace.frame.device)


def _blurred(frame: Tensor) -> Tensor:
    import cv2

    image = frame[0].float().permute(1, 2, 0).cpu().numpy()
    soft = cv2.GaussianBlur(image, (0, 0), BLUR * max(image.shape[:2]), borderType=cv2.BORDER_REPLICATE)
    return torch.from_numpy(soft).permute(2, 0, 1)[None].to(frame)
