"""The size of an image, from its header alone."""

import struct
from contextlib import suppress
from os import PathLike
from typing import Any

ORIENTATION = 274  # the EXIF tag
SIDEWAYS = (5, 6, 7, 8)  # its values that exchange width and height
PHOTOS = ("JPEG", "MPO")  # formats whose orientation Ultralytics heeds
BEGIN = 16  # bytes by which Pillow's formats know their files
# what a format raises for a file that is none of its own, or damaged
NOT_MINE = (SyntaxError, ValueError, IndexError, KeyError, TypeError, EOFError, OverflowError, struct.error)


def header_size(path: str | PathLike) -> tuple[int, int] | None:
    """(width, height) px of an image as it is shown, its EXIF orientation heeded; None where it cannot be opened.

    Pillow's formats are asked one by one: Ultralytics puts a function in the place of ``Image.open`` that installs a
    package where none of them knows a file.
    """
    from PIL import Image

    Image.init()
    formats: list[Any] = list(Image.OPEN.values())
    with suppress(OSError), open(path, "rb") as file:
        begin = file.read(BEGIN)
        for factory, accept in formats:
            with suppress(*NOT_MINE):
                if accept is None or accept(begin) is True:
                    file.seek(0)
                    return _upright(factory(file, None))
    return None


def _upright(image: Any) -> tuple[int, int]:
    width, height = image.size
    turned = image.format in PHOTOS and image.getexif().get(ORIENTATION) in SIDEWAYS
    return (height, width) if turned else (width, height)
