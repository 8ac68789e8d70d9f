"""What may be wrong with labels: a name and a meaning for each, and where it was seen."""

from dataclasses import dataclass
from pathlib import Path

from anatomy.shown import Told

PROBLEMS = {
    "missing_image": "the image is not there",
    "duplicate_image": "the image is listed twice; it is kept once",
    "not_an_image": "a line of a list names no image; it is left out",
    "missing_file": "the image has no label file, though others of its set do",
    "empty_file": "the label file holds no line: an image without objects",
    "orphan": "the label file has no image in the folder of images",
    "folder": "a folder stands where the label file belongs",
    "unreadable": "the label file cannot be opened",
    "undecodable": "the label file is not UTF-8 throughout; lines that are none the worse for it are kept",
    "wrong_columns": "the line has a number of columns that no kind of label has",
    "mixed_rows": "boxes and polygons stand in one file; all are kept",
    "not_a_number": "a column is no number",
    "not_finite": "a column is NaN or infinite",
    "class_negative": "the class id is below 0",
    "class_not_whole": "the class id has a fraction",
    "class_unknown": "no class has this id",
    "empty_box": "the width or height of the box is not above 0",
    "outside": "a coordinate lies out of [0, 1]; the box is kept",
    "off_image": "no part of the box lies on the image",
    "duplicate_row": "the row stands there twice; it is kept once",
    "image_unknown": "an annotation is about an image that the file does not list",
    "bad_annotation": "an annotation, or the entry of an image, lacks what COCO asks for",
}


@dataclass(frozen=True, repr=False)
class Problem(Told):
    """One thing wrong with labels: ``code``, a key of ``PROBLEMS``; ``message``, what was found and what became of it.

    ``path`` of the file, ``line`` in it from 1, or None; ``kept``: the row, or the image, is there all the same;
    ``values``: the numbers of the row as they stand in the file, class id first, where it holds numbers.
    """

    path: Path
    line: int | None
    code: str
    message: str
    kept: bool = False
    values: tuple[float, ...] = ()

    def __str__(self) -> str:
        place = f"{self.path}" if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.code}: {self.message}"
