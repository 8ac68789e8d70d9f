"""The photographs behind a number: its rows, worst first, each with its place on its photograph."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars
from PIL import Image, ImageDraw, ImageFont

from anatomy import SourceError, whole_number

from ..tables import SurveyTables
from .crops import GROUND, around, read_photograph, tile
from .marks import marks_of
from .selection import Where, caption, select

SIDE = 232  # px of a tile
STRIP = 46  # px below it for its words
GAP = 8
MOST = 400  # tiles of one sheet
LINES = 3
INK, PAPER = (25, 25, 28), (255, 255, 255)


@dataclass(frozen=True)
class Photographs:
    """Rows of a survey, and a sheet with one tile a row.

    ``rows`` is a polars DataFrame, worst first; ``image`` (H, W, 3) uint8 RGB, tiles in the order of the rows, line by
    line; ``fitting`` counts all rows that fit, of which these are the first.
    """

    rows: polars.DataFrame
    image: np.ndarray
    fitting: int

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Photographs({len(self.rows)} of {self.fitting} rows)"

    def _repr_png_(self) -> bytes:
        held = io.BytesIO()
        Image.fromarray(self.image).save(held, "png")
        return held.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write the sheet as the ending of ``path`` says; returns the path."""
        Image.fromarray(self.image).save(path)
        return Path(path)


def show(
    survey: SurveyTables,
    where: Where = None,
    n: int = 9,
    table: str = "objects",
) -> Photographs:
    """The first ``n`` rows of a table that fit, worst first, each on its photograph.

    ``where``: a polars expression, a mapping {column: value or list of values}, SQL-like text, or None for all rows.
    ``table``: "objects" (the missed first, by the lowest IoU), "detections" (the wrong first, by the highest
    confidence) or "images". The truth is drawn thin and white, the detection in the colour of its level; of an
    object that was missed, the cell of its best candidate, and thin what
    suppressed it; of a duplicate, thin, the detection that was better. A photograph that cannot be read leaves a tile
    that says so. Raises ValueError for an unknown table or column.
    """
    n = whole_number(n, "n")
    if not 1 <= n <= MOST:
        raise ValueError(f"A sheet holds 1 to {MOST} photographs, but n = {n} was given. Narrow the rows by where.")
    kept = select(survey, where, table)
    rows = kept.head(n).collect()
    fitting = kept.select(polars.len()).collect().item()
    scenes = marks_of(survey, rows, table)
    tiles = [_tile(row, scene, table) for row, scene in zip(rows.iter_rows(named=True), scenes, strict=True)]
    return Photographs(rows, _sheet(tiles or [_blank("No row fits.")]), fitting)


def _tile(row: Mapping[str, Any], scene: Any, table: str) -> Image.Image:
    """One row: its part of the photograph, and below it the row in words."""
    whole = Image.new("RGB", (SIDE, SIDE + STRIP), PAPER)
    try:
        image = read_photograph(row["image"], scene.size)
    except SourceError as error:
        whole.paste(_blank(f"{Path(row['image']).name} is not shown: {error}"))
    else:
        height, width = image.shape[:2]
        boxes = [mark.box for mark in scene.marks] if table != "images" else [(0, 0, width, height)]
        place = around(boxes, width, height)
        whole.paste(tile(image, place, scene.marks, SIDE))
    words = f"{caption(row, table)}\n{Path(row['image']).name}" if table == "images" else caption(row, table)
    _write(whole, words, SIDE + 3, LINES)
    return whole


def _blank(words: str) -> Image.Image:
    """A tile without a photograph."""
    empty = Image.new("RGB", (SIDE, SIDE), GROUND)
    _write(empty, words, SIDE // 3, 7)
    return empty


def _write(picture: Image.Image, words: str, top: int, most: int) -> None:
    """Write words on a tile, broken into at most so many lines."""
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    lines = _broken(words, lambda text: pen.textlength(text, font=font), SIDE - 8)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1]} …"]
    for i, line in enumerate(lines):
        pen.text((4, top + 14 * i), line, fill=INK, font=font)


def _broken(words: str, length: Callable[[str], float], room: float) -> list[str]:
    """Words in lines that are no longer than the room, so far as a word alone fits."""
    lines: list[str] = []
    for word in words.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and length(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _sheet(tiles: Sequence[Image.Image]) -> np.ndarray:
    """Tiles in lines, about as many across as down."""
    across = int(np.ceil(np.sqrt(len(tiles))))
    down = -(-len(tiles) // across)
    width, height = tiles[0].size
    sheet = Image.new("RGB", (across * (width + GAP) + GAP, down * (height + GAP) + GAP), PAPER)
    for i, each in enumerate(tiles):
        sheet.paste(each, (GAP + i % across * (width + GAP), GAP + i // across * (height + GAP)))
    return np.asarray(sheet)
