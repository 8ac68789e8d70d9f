"""The photographs that a page carries in itself: a thumbnail each, close-ups where it shows too little."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars
from PIL import Image

from anatomy import SourceError
from diagnosis.surveys.photographs.crops import Place, around, read_photograph, thumbnail
from diagnosis.surveys.photographs.marks import Scene, marks_of
from diagnosis.surveys.photographs.selection import caption, select

SIDE, WEIGHT = 480, 20_000  # px and bytes of a thumbnail, at most
CLOSE_SIDE, CLOSE_WEIGHT = 160, 6_000  # px and bytes of a close-up, at most
BUDGET = 12_500_000  # bytes of all pictures; as text they take a third more
FINE = 48  # px: what is smaller on a thumbnail gets a close-up
SHRUNK = 0.9  # where the thumbnail is at least so much smaller than the photograph
FIELDS = {  # of a row: what the numbers in the tables of the page choose it by
    "objects": ("number", "class_name", "level_name", "size", "found", "stage", "ceiling", "confidence"),
    "detections": ("number", "class_name", "level_name", "correct", "error", "found_by", "confidence"),
}


@dataclass(frozen=True)
class Row:
    """One row on the page: its ``values`` of ``FIELDS``, words, the square of its tile in px of the original, marks."""

    number: int
    values: tuple[Any, ...]
    words: str
    scene: Scene
    place: Place
    reach: float  # px: the longer side of what is marked


@dataclass(frozen=True)
class Embedded:
    """What the script of a page is given.

    ``fields``: table -> what the values of its rows are; ``images``: number -> name, size and thumbnail; ``rows``:
    table -> rows as the script reads them, worst first; ``unread``: (path, why) of photographs that could not be shown;
    ``left_out`` counts images that are not on the page.
    """

    fields: dict[str, tuple[str, ...]]
    images: dict[int, dict[str, Any]]
    rows: dict[str, list[list[Any]]]
    unread: tuple[tuple[str, str], ...]
    left_out: int

    def as_json(self) -> dict[str, Any]:
        """As the script reads it."""
        return {"images": self.images, "fields": self.fields, "rows": self.rows}


def embed(survey: Any, most: int, budget: int = BUDGET, *, changes: polars.DataFrame | None = None) -> Embedded:
    """The photographs of ``most`` images, those with most mistakes first, and the rows of both tables on them.

    Close-ups are given to these images in the same order, while the ``budget`` of bytes lasts. ``changes``: number,
    object and ``change`` of objects held against another survey.
    """
    order = telling(survey)
    wanted = order[: min(most, budget // WEIGHT)]
    numbers = [image["number"] for image in wanted]
    rows = {table: _rows(survey, table, numbers, changes) for table in FIELDS}
    images, close, unread = {}, {}, []
    spare = budget - WEIGHT * len(wanted)
    for image in wanted:
        try:
            photograph = read_photograph(image["image"], (image["width"], image["height"]))
        except SourceError as error:
            unread.append((image["image"], str(error)))
            continue
        images[image["number"]] = _told(image, photograph)
        for row in _fine(rows, image["number"], photograph):
            if row.place not in close.get(row.number, {}) and spare >= CLOSE_WEIGHT:
                content = _close_up(photograph, row.place)
                close.setdefault(row.number, {})[row.place] = _text(content)
                spare -= len(content)
    return Embedded(
        fields=_fields(changes),
        images=images,
        rows={table: [_encoded(row, close) for row in told if row.number in images] for table, told in rows.items()},
        unread=tuple(unread),
        left_out=len(order) - len(images),
    )


def telling(survey: Any) -> list[dict[str, Any]]:
    """Rows of the images that could be read, those with most objects missed and detections wrong first."""
    wrong = survey.detections.group_by("number").agg((polars.col("correct") == False).sum().alias("wrong"))  # noqa: E712
    images = survey.images.filter(polars.col("error").is_null()).join(wrong, on="number", how="left")
    mistakes = polars.col("objects") - polars.col("found") + polars.col("wrong").fill_null(0)
    return images.sort(-mistakes, "number").collect().to_dicts()


def _fields(changes: polars.DataFrame | None) -> dict[str, tuple[str, ...]]:
    """Table: what the values of its rows are."""
    return FIELDS if changes is None else FIELDS | {"objects": (*FIELDS["objects"], "change")}


def _rows(survey: Any, table: str, numbers: Sequence[int], changes: polars.DataFrame | None) -> list[Row]:
    """The rows of a table that lie on these images, worst first."""
    kept = select(survey, polars.col("number").is_in(list(numbers)), table)
    if table == "detections":
        owner = survey.objects.filter(polars.col("found")).select("number", "object", found_by="level_name")
        kept = kept.join(owner, on=["number", "object"], how="left", maintain_order="left")
    elif changes is not None:
        changed = changes.lazy().select("number", "object", "change")
        kept = kept.join(changed, on=["number", "object"], how="left", maintain_order="left")
    frame, fields = kept.collect(), _fields(changes)[table]
    told = []
    scenes = marks_of(survey, frame, table)
    for row, scene in zip(frame.iter_rows(named=True), scenes, strict=True):
        told.append(_row(table, row, scene, fields))
    return told


def _row(table: str, row: Mapping[str, Any], scene: Scene, fields: Sequence[str]) -> Row:
    boxes = np.asarray([mark.box for mark in scene.marks], dtype=np.float64)
    width, height = scene.size or (1, 1)
    return Row(
        number=row["number"],
        values=tuple(row[name] for name in fields),
        words=caption(row, table),
        scene=scene,
        place=around(boxes, width, height),
        reach=float((boxes[0, 2:] - boxes[0, :2]).max()),
    )


def _fine(rows: Mapping[str, Sequence[Row]], number: int, photograph: np.ndarray) -> list[Row]:
    """The rows on one photograph that its thumbnail would show too small."""
    scale = SIDE / max(photograph.shape[:2])
    here = [row for told in rows.values() for row in told if row.number == number]
    return [row for row in here if scale < SHRUNK and row.reach * scale < FINE]


def _told(image: Mapping[str, Any], photograph: np.ndarray) -> dict[str, Any]:
    """One photograph as the script reads it."""
    size = {"width": image["width"], "height": image["height"]}
    return {"name": Path(image["image"]).name, **size, "src": _text(thumbnail(photograph, SIDE, WEIGHT))}


def _close_up(photograph: np.ndarray, place: Place) -> bytes:
    """A square of a photograph as JPEG, as sharp as the original where it is small."""
    left, top, side = place
    cut = Image.fromarray(photograph).crop((left, top, left + side, top + side))
    return thumbnail(np.asarray(cut), CLOSE_SIDE, CLOSE_WEIGHT)


def _encoded(row: Row, close: Mapping[int, Mapping[Place, str]]) -> list[Any]:
    """A row as the script reads it: values, words, square, marks, and its close-up or null."""
    values = [_short(value) for value in row.values]
    marks = [[*(round(float(edge), 1) for edge in mark.box), mark.color, mark.width] for mark in row.scene.marks]
    return [values, row.words, row.place, marks, close.get(row.number, {}).get(row.place)]


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _short(value: Any) -> Any:
    """A value for JSON: numbers with four decimals, and none that JSON has no word for."""
    if not isinstance(value, float):
        return value
    return round(value, 4) if np.isfinite(value) else None
