"""Images of a source as arrays, for families that bring no reader of their own."""

from collections.abc import Iterator
from glob import glob
from pathlib import Path

import numpy as np
from torch import Tensor

from .errors import SourceError
from .sources import nothing_read

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def open_images(source) -> Iterator[tuple[str, np.ndarray]]:
    """(path, (H, W, 3) uint8 BGR) of every image of a source.

    ``source``: a file, folder or glob; an (H, W, 3) uint8 BGR array; a PIL image; a (3, H, W) RGB tensor, uint8 or in
    [0, 1] (rounded to 8 bits), or a batch of them; a list of these. Raises SourceError for anything else.
    """
    if isinstance(source, str | Path):
        for path in _paths(str(source)):
            yield path, _read(path)
    elif isinstance(source, list | tuple):
        for entry in source:
            yield from open_images(entry)
    elif isinstance(source, Tensor) and source.ndim == 4:
        yield from open_images(list(source))
    elif isinstance(source, Tensor):
        yield "tensor", _from_tensor(source)
    elif isinstance(source, np.ndarray):
        yield "array", _checked(source, "(H, W, 3) uint8 BGR")
    elif hasattr(source, "convert"):
        yield getattr(source, "filename", "") or "image", _bgr(source)
    else:
        raise nothing_read(source)


def _paths(text: str) -> list[str]:
    if Path(text).is_dir():
        return sorted(str(path) for path in Path(text).iterdir() if path.suffix.lower() in SUFFIXES)
    return sorted(glob(text)) if any(mark in text for mark in "*?[") and not Path(text).exists() else [text]


def _read(path: str) -> np.ndarray:
    import cv2

    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise nothing_read(path) from error
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        raise nothing_read(path)
    return image


def _bgr(image) -> np.ndarray:
    """A PIL image as an (H, W, 3) uint8 BGR array."""
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])


def _from_tensor(image: Tensor) -> np.ndarray:
    if image.is_floating_point():
        if image.numel() and not (image.min() >= 0 and image.max() <= 1):
            raise SourceError(
                f"A tensor must lie in [0, 1], but runs from {image.min():g} to {image.max():g}. Divide by 255?"
            )
        image = (image * 255).round().byte()
    if image.ndim != 3:
        raise SourceError(f"A tensor must be (3, H, W) or (B, 3, H, W), but has the shape {tuple(image.shape)}.")
    return _checked(np.ascontiguousarray(image.permute(1, 2, 0).cpu().numpy()[..., ::-1]), "(3, H, W) RGB")


def _checked(image: np.ndarray, wanted: str) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise SourceError(f"An image must be {wanted}, but an array {image.shape} of {image.dtype} was given.")
    return image
