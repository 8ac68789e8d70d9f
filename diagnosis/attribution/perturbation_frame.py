"""Network inputs with parts of the photograph replaced: by what, and along which borders."""

import numpy as np
import torch
from torch import Tensor

from anatomy import Trace

from .place import photo_area

REPLACED = ("mean", "blur", "black")
BLUR = 0.05  # standard deviation of the blur, in longer sides of the network input
COMPACT = 20.0  # of superpixels: how much place counts beside colour
SOFT = 2.0  # px: standard deviation of the smoothing before superpixels are sought


def whole(trace: Trace) -> Tensor:
    """The network input of a trace, (1, 3, H, W), free for gradients."""
    return trace.head.network_input(trace.run).detach().clone()


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

    As ``segments`` makes them. Raises ValueError for less than two.
    """
    if count < 2:
        raise ValueError(f"regions must be at least 2, but {count!r} was given.")
    inside = photo_area(trace)
    rows, cols = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    place = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    frame = trace.head.network_input(trace.run)[0]
    regions = np.zeros(inside.shape, np.int64)
    regions[place] = 1 + segments(frame[(slice(None), *place)], count)
    _, dense = np.unique(regions, return_inverse=True)
    return torch.from_numpy(dense.reshape(1, 1, *inside.shape)).to(frame.device)


def segments(photo: Tensor, count: int) -> np.ndarray:
    """About ``count`` regions of alike px of a picture (3, h, w) in [0, 1], (h, w) int64 from 0, none of them empty.

    By SLIC, https://doi.org/10.1109/TPAMI.2012.120; a region may fall apart.
    """
    from skimage.segmentation import slic

    pixels = photo.detach().float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    found = slic(pixels, count, COMPACT, sigma=SOFT, enforce_connectivity=False, start_label=0)
    _, dense = np.unique(found, return_inverse=True)
    return dense.reshape(found.shape)


def _blurred(frame: Tensor) -> Tensor:
    import cv2

    image = frame[0].float().permute(1, 2, 0).cpu().numpy()
    soft = cv2.GaussianBlur(image, (0, 0), BLUR * max(image.shape[:2]), borderType=cv2.BORDER_REPLICATE)
    return torch.from_numpy(soft).permute(2, 0, 1)[None].to(frame)
