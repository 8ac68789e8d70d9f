"""Images in: reading a source, and the letterbox that fits an image into the network's input."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import ImageOps
from PIL.Image import Image
from torch import Tensor

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
GREY = 114
MULTIPLE = 32  # both sides of an input divide by the coarsest stride


def read(path) -> np.ndarray:
    """An image file as (H, W, 3) uint8 BGR; raises FileNotFoundError where there is none that can be read."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"{str(path)!r} could not be read as an image.")
    return image


def list_images(folder) -> list[Path]:
    """The image files of a folder, sorted by name."""
    return sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)


def open_source(source) -> Iterator[tuple[str, np.ndarray]]:
    """(path, image) of every image of a source: a file, a folder, an (H, W, 3) uint8 BGR array, a PIL image, or a
    list of these.

    Raises FileNotFoundError for what cannot be read, TypeError and ValueError for what is no image.
    """
    if isinstance(source, np.ndarray):
        yield "array", _checked(source)
    elif isinstance(source, Image):
        turned = ImageOps.exif_transpose(source).convert("RGB")
        yield getattr(source, "filename", "") or "image", np.ascontiguousarray(np.asarray(turned)[..., ::-1])
    elif isinstance(source, str | Path):
        path = Path(source)
        for entry in list_images(path) if path.is_dir() else [path]:
            yield str(entry), read(entry)
    elif isinstance(source, Iterable):
        for entry in source:
            yield from open_source(entry)
    else:
        raise TypeError(
            f"The source must be a path, a folder, an (H, W, 3) BGR array or a list of these, but was {type(source)}."
        )


def _checked(image: np.ndarray) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"An image must be (H, W, 3) uint8 BGR, but was {image.shape} {image.dtype}.")
    return image


def input_size(image_size: tuple[int, int], imgsz: int) -> tuple[int, int]:
    """The smallest (height, width) whose longer side is ``imgsz`` and which an image of (H, W) px fills, in 32s."""
    imgsz = -(-imgsz // MULTIPLE) * MULTIPLE
    gain = imgsz / max(image_size)
    return tuple(-(-max(round(side * gain), 1) // MULTIPLE) * MULTIPLE for side in image_size)


def letterbox(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The image scaled into (height, width) px, centred on grey, with its gain and padding, (2,) xy each.

    The rounding is that of Ultralytics: each side on its own, the odd pixel of padding to the right and below.
    """
    gain = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(round(side * gain), 1) for side in image.shape[:2])
    left, top = round((size[1] - width) / 2 - 0.1), round((size[0] - height) / 2 - 0.1)
    frame = np.full((*size, 3), GREY, np.uint8)
    scaled = image if image.shape[:2] == (height, width) else cv2.resize(image, (width, height))
    frame[top : top + height, left : left + width] = scaled
    gains = np.array([width / image.shape[1], height / image.shape[0]])
    return frame, gains, np.array([left, top], np.float64)


def to_tensor(frame: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 BGR to (1, 3, H, W) float32 RGB in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(frame[..., ::-1])).permute(2, 0, 1)[None].float() / 255
