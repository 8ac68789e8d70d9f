"""The photographs of a set: their sizes, read from the header alone, and their pixels."""

from pathlib import Path

import cv2
import numpy as np

from ...objects.reading.header import header_size


class Unreadable(Exception):
    """An image that cannot be read, and why."""


def size_of(path: Path) -> tuple[int, int]:
    """(height, width) px of an image as it is looked at, its EXIF orientation heeded; raises Unreadable."""
    size = header_size(path)
    if size is None:
        raise Unreadable(_why(path, None))
    return size[1], size[0]


def pixels_of(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 BGR, as Ultralytics reads it; raises Unreadable."""
    try:
        image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error) as error:
        raise Unreadable(_why(path, error)) from error
    if image is None:
        raise Unreadable(_why(path, None))
    return image


def _why(path: Path, error: Exception | None) -> str:
    if not path.exists():
        return "there is no such file"
    if path.stat().st_size == 0:
        return "the file is empty (0 bytes)"
    return "it holds no image that can be decoded" if error is None else f"{type(error).__name__}: {error}"
