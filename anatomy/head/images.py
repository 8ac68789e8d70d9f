"""Images of a source as arrays, for families that bring no reader of their own."""

from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from .pixels import as_arrays, as_batch, as_bgr, picture_as_bgr
from .sources import nothing_read

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def open_images(source: Any) -> Iterator[tuple[str, np.ndarray]]:
    """(path, (H, W, 3) uint8 BGR) of every image of a source.

    ``source``: a file, folder or glob; an array, PIL image or tensor as ``anatomy.pixels`` takes them, tensors rounded
    to 8 bits; a list of these. Raises SourceError for anything else.
    """
    if isinstance(source, str | Path):
        for path in _paths(str(source)):
            yield path, read_image(path)
    elif isinstance(source, list | tuple):
        for entry in source:
            yield from open_images(entry)
    elif isinstance(source, Tensor):
        for image in as_arrays(as_batch(source)):
            yield "tensor", image
    elif isinstance(source, np.ndarray):
        yield "array", as_bgr(source)
    elif hasattr(source, "convert"):
        yield getattr(source, "filename", "") or "image", picture_as_bgr(source)
    else:
        raise nothing_read(source)


def image_files(folder: str | Path) -> list[Path]:
    """The image files of a folder, by name."""
    return sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES)


def _paths(text: str) -> list[str]:
    if Path(text).is_dir():
        return [str(path) for path in image_files(text)]
    return sorted(glob(text)) if any(mark in text for mark in "*?[") and not Path(text).exists() else [text]


def read_image(path: str | Path) -> np.ndarray:
    """An image file as (H, W, 3) uint8 BGR; SourceError where there is none that can be read."""
    import cv2

    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise nothing_read(path) from error
    image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if image is None:
        raise nothing_read(path)
    return image
