"""Images as network inputs: the size that an image gets, the letterbox that fits it in, the tensor."""

import cv2
import numpy as np
import torch
from torch import Tensor

from anatomy.head.letterbox import Letterbox

GREY = 114
MULTIPLE = 32  # both sides of an input divide by the coarsest stride


def input_size(image_size: tuple[int, int], imgsz: int) -> tuple[int, int]:
    """The smallest (height, width) whose longer side is ``imgsz`` and which an image of (H, W) px fills, in 32s."""
    imgsz = -(-imgsz // MULTIPLE) * MULTIPLE
    gain = imgsz / max(image_size)
    height, width = (-(-max(round(side * gain), 1) // MULTIPLE) * MULTIPLE for side in image_size)
    return height, width


def letterbox(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, Letterbox]:
    """The image scaled into (height, width) px, centred on grey, and the map between the two."""
    rows, cols = image.shape[:2]
    box = Letterbox.fit((rows, cols), size)
    width, height = round(box.gain[0] * cols), round(box.gain[1] * rows)
    left, top = box.pad
    frame = np.full((*size, 3), GREY, np.uint8)
    scaled = image if (rows, cols) == (height, width) else cv2.resize(image, (width, height))
    frame[top : top + height, left : left + width] = scaled
    return frame, box


def to_tensor(frame: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 BGR to (1, 3, H, W) float32 RGB in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(frame[..., ::-1])).permute(2, 0, 1)[None].float() / 255
