"""Parts of photographs as tiles: a square around what is shown, small things enlarged, marks in their place."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw

from anatomy.errors import SourceError
from anatomy.head.images import read_image

CONTEXT = 3.0  # a tile is so many times as wide as what it shows
LEAST = 64  # px of the original: a tile shows no less
GROUND = (228, 229, 231)  # beyond the edge of a photograph
QUALITIES = (82, 72, 60, 48, 36, 26)  # of a JPEG, from the one tried first to the last
Place = tuple[int, int, int]
"""A square part of a photograph: left and top edge and side, whole px of the original; it may hang over the edges."""


@dataclass(frozen=True)
class Mark:
    """An outline on a tile: ``box`` xyxy (4,) px of the original, ``color`` as Pillow reads it, ``width`` in px."""

    box: tuple[float, float, float, float]
    color: str
    width: int = 2


def read_photograph(path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """A photograph as (H, W, 3) uint8 RGB, turned as the detector saw it.

    Raises SourceError where it cannot be read or where it has not the ``size`` (width, height) that it had.
    """
    image = np.ascontiguousarray(read_image(path)[..., ::-1])
    height, width = image.shape[:2]
    if size is not None and (width, height) != tuple(size):
        raise SourceError(
            f"{str(path)!r} was {size[0]} × {size[1]} px when it was surveyed, but is {width} × {height} px now. Give "
            "the photographs of the survey, or run the survey again."
        )
    return image


def around(boxes: ArrayLike, width: int, height: int) -> Place:
    """The square of a photograph that shows these boxes, xyxy px, with their surroundings, inside it if that can be."""
    hull = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    low, high = hull[:, :2].min(0), hull[:, 2:].max(0)
    side = int(np.clip(np.ceil(CONTEXT * (high - low).max()), LEAST, max(width, height, LEAST)))
    left, top = (_start(centre, side, room) for centre, room in zip((low + high) / 2, (width, height), strict=True))
    return left, top, side


def _start(centre: float, side: int, room: int) -> int:
    """Where a stretch around a centre begins: inside the room, or, if it is longer, around it."""
    return (room - side) // 2 if side > room else int(np.clip(round(centre - side / 2), 0, room - side))


def tile(image: np.ndarray, place: Place, marks: Sequence[Mark], side: int) -> Image.Image:
    """A part of an (H, W, 3) uint8 photograph, ``side`` px wide and high, with marks on it in their order."""
    left, top, span = place
    height, width = image.shape[:2]
    cut = Image.new("RGB", (span, span), GROUND)
    x, y = max(left, 0), max(top, 0)
    part = image[y : min(top + span, height), x : min(left + span, width)]
    cut.paste(Image.fromarray(part), (x - left, y - top))
    way = Image.Resampling.BICUBIC if span <= side else Image.Resampling.LANCZOS
    drawn = cut.resize((side, side), way)
    pen = ImageDraw.Draw(drawn)
    for mark in marks:
        corners = (np.asarray(mark.box) - (left, top, left, top)) * (side / span)
        _outline(pen, corners, mark)
    return drawn


def _outline(pen: ImageDraw.ImageDraw, corners: np.ndarray, mark: Mark) -> None:
    """A rectangle whose line lies outside what it surrounds, upon a dark halo."""
    x1, y1, x2, y2 = (int(value) for value in np.round(corners))
    grown = mark.width
    box = (x1 - grown, y1 - grown, max(x2, x1 + 1) + grown - 1, max(y2, y1 + 1) + grown - 1)
    pen.rectangle((box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1), outline=(20, 20, 20))
    pen.rectangle(box, outline=mark.color, width=mark.width)


def thumbnail(image: np.ndarray, side: int = 480, most: int = 20_000) -> bytes:
    """An (H, W, 3) uint8 image as JPEG, at most ``side`` px long and ``most`` bytes; never enlarged."""
    picture = Image.fromarray(image)
    while True:
        small = picture.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        for quality in QUALITIES:
            content = _jpeg(small, quality)
            if len(content) <= most:
                return content
        if side <= 16:
            return content
        side = side * 3 // 4


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    held = io.BytesIO()
    picture.save(held, "jpeg", quality=quality, optimize=True)
    return held.getvalue()
