"""The size of an image, from its header alone."""

import struct
from contextlib import suppress
from os import PathLike
from typing import Any, NamedTuple

ORIENTATION = 274  # the EXIF tag
SIDEWAYS = (5, 6, 7, 8)  # its values that exchange width and height
PHOTOS = ("JPEG", "MPO")  # formats whose orientation Ultralytics heeds
BEGIN = 16  # bytes by which Pillow's formats know their files
# what a format raises for a file that is none of its own, or damaged
NOT_MINE = (SyntaxError, ValueError, IndexError, KeyError, TypeError, EOFError, OverflowError, struct.error)


class Header(NamedTuple):
    """``size`` (width, height) px as stored; ``orientation``, 1 to 8, of EXIF where Ultralytics heeds it, else 1."""

    size: tuple[int, int]
    orientation: int

    @property
    def shown(self) -> tuple[int, int]:
        """(width, height) px of the image as it is shown."""
        width, height = self.size
        return (height, width) if self.orientation in SIDEWAYS else (width, height)


def header_size(path: str | PathLike) -> tuple[int, int] | None:
    """(width, height) px of an image as it is shown, its EXIF orientation heeded; None where it cannot be opened."""
    header = read_header(path)
    return None if header is None else header.shown


def read_header(path: str | PathLike) -> Header | None:
    """What the header of an image says; None where it cannot be opened.

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
                    return _header(factory(file, None))
    return None


def _header(image: Any) -> Header:
    orientation = image.getexif().get(ORIENTATION, 1) if image.format in PHOTOS else 1
    return Header(image.size, orientation if orientation in range(1, 9) else 1)
