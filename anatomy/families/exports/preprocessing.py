"""From a photograph to the input of an exported detector: every choice by name, so that two can be compared."""

import math
from dataclasses import dataclass

import numpy as np

from ...arguments import finite_number, shown
from ...head.letterbox import Letterbox

FITS = ("letterbox", "corner", "stretch")
INTERPOLATIONS = ("linear", "nearest", "area", "cubic")
ORDERS = ("RGB", "BGR")


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input; what Ultralytics' ``predict()`` does, unless told otherwise.

    ``fit``: "letterbox" keeps the ratio of sides and pads on both sides, "corner" keeps it and pads right and below,
    "stretch" fills the input. ``interpolation`` "linear", "nearest", "area" or "cubic", as OpenCV does them. ``pad``:
    the grey of the padding, 0 to 255. ``order`` of the channels, "RGB" or "BGR". A pixel p of 0 to 255 enters as
    p * ``scale`` + ``shift``, one number, or one a channel in the order of the input.

    Raises ValueError for what is none of these.
    """

    fit: str = "letterbox"
    interpolation: str = "linear"
    pad: float = 114
    order: str = "RGB"
    scale: float | tuple[float, ...] = 1 / 255
    shift: float | tuple[float, ...] = 0.0

    def __post_init__(self):
        for name, known in (("fit", FITS), ("interpolation", INTERPOLATIONS), ("order", ORDERS)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, but {shown(value)} was given.")
        if not 0 <= finite_number(self.pad, "pad, a grey from 0 to 255,") <= 255:
            raise ValueError(f"pad must be a grey from 0 to 255, but {self.pad!r} was given.")
        for name in ("scale", "shift"):
            for value in np.atleast_1d(np.asarray(getattr(self, name), dtype=object)):
                finite_number(value, name)

    def letterbox(self, original: tuple[int, int], shape: tuple[int, int]) -> Letterbox:
        """Where an image of (height, width) px lies in an input of (h, w) px."""
        if self.fit == "letterbox":
            return Letterbox.fit(original, shape)
        if self.fit == "stretch":
            gain = shape[1] / original[1], shape[0] / original[0]
            return Letterbox(original_shape=original, input_shape=shape, gain=gain, pad=(0, 0))
        centred = Letterbox.fit(original, shape)
        return Letterbox(original_shape=original, input_shape=shape, gain=centred.gain, pad=(0, 0))

    def pixels(self, image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """An image (H, W, 3) uint8 BGR in an input of (h, w) px: (h, w, 3) uint8 in this order, not scaled yet."""
        import cv2

        box = self.letterbox((image.shape[0], image.shape[1]), shape)
        width, height = (round(gain * side) for gain, side in zip(box.gain, image.shape[1::-1], strict=True))
        flag = getattr(cv2, f"INTER_{self.interpolation.upper()}")
        small = image if (height, width) == image.shape[:2] else cv2.resize(image, (width, height), interpolation=flag)
        frame = np.full((*shape, image.shape[2]), round(self.pad), np.uint8)
        left, top = box.pad
        frame[top : top + height, left : left + width] = small.reshape(height, width, -1)
        return np.ascontiguousarray(frame[..., ::-1]) if self.order == "RGB" and image.shape[2] == 3 else frame

    def frame(self, image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """The input (1, 3, h, w) float32 of an image (H, W, 3) uint8 BGR; 1 / 255 divides, as Ultralytics does it."""
        pixels = np.ascontiguousarray(self.pixels(image, shape).transpose(2, 0, 1))[None].astype(np.float32)
        if self.scale == 1 / 255 and self.shift == 0:
            return pixels / np.float32(255)
        scale, shift = (np.asarray(part, np.float32).reshape(-1, 1, 1) for part in (self.scale, self.shift))
        return pixels * scale + shift


def smallest_input(original: tuple[int, int], imgsz: tuple[int, int], stride: int) -> tuple[int, int]:
    """The input (h, w) px of an image where sizes are open: as small as the padding to whole strides allows.

    As ``LetterBox(auto=True)`` of Ultralytics finds it.
    """
    gain = min(imgsz[0] / original[0], imgsz[1] / original[1])
    sides = []
    for side, most in zip(original, imgsz, strict=True):
        scaled = max(round(side * gain), 1)
        sides.append(scaled + (most - scaled) % stride)
    return sides[0], sides[1]


def whole_strides(imgsz: tuple[int, int], stride: int) -> tuple[int, int]:
    """Sides rounded up to whole strides, as Ultralytics' ``check_imgsz`` rounds them."""
    height, width = (max(math.ceil(side / stride) * stride, stride) for side in imgsz)
    return height, width
