"""The size of an image, from its header alone."""

import struct
from os import PathLike
from typing import Any, BinaryIO

ORIENTATION = 274  # the EXIF tag
SIDEWAYS = (5, 6, 7, 8)  # its values that exchange width and height
PHOTOS = ("JPEG", "MPO")  # formats whose orientation Ultralytics heeds
BEGIN = 16  # bytes by which Pillow's formats know their files


def header_size(path: str | PathLike) -> tuple[int, int] | None:
    """(width, height) px of an image as it is shown, its EXIF orientation heeded; None where it cannot be opened.

    Pillow's formats are asked one by one: Ultralytics puts a function in the place of ``Image.open`` that installs a
    package where none of them knows a file.
    """
    from PIL import Image

    Image.init()
    try:
        with open(path, "rb") as file:
            begin = file.read(BEGIN)
            for factory, accept in list(Image.OPEN.values()):
                if accept is None or accept(begin) is True:
                    size = _size(factory, file)
                    if size is not None:
                        return size
    except (OSError, ValueError):
        return None
    return None


def _size(factory: Any, file: BinaryIO) -> tuple[int, int] | None:
    """What one format reads from a file; None where it is none of its own."""
    file.seek(0)
    try:
        image = factory(file, None)
    except (
        SyntaxError,
        IndexError,
        TypeError,
        KeyError,
        EOFError,
        struct.error,
    ):  # as Pillow itself goes on to the next
        return None
    width, height = image.size
    turned = image.format in PHOTOS and image.getexif().get(ORIENTATION) in SIDEWAYS
    return (height, width) if turned else (width, height)
