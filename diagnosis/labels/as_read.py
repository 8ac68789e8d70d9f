"""Labels as they are meant: each file by the reading, and the class map, that was found of it."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from .file_votes import FileVotes
from .reading import Reading
from .rows import Rows
from .seen import Seen, sizes

RIGHT = Reading()


def as_read(
    rows: Rows,
    seen: Sequence[Seen],
    reading: Reading,
    votes: Iterable[FileVotes],
    by_class: Mapping[int, Reading] = MappingProxyType({}),
) -> Rows:
    """The rows with the numbers that right labels of the same boxes have.

    Files that vote for a reading, by theirs; classes of a reading of their own, ``by_class``, by that in all files.
    """
    of_image = sizes(seen)[rows.image]
    boxes = reading.boxes(rows.quads, of_image)
    for entry in votes:
        if entry.reading is not None:
            mine = np.isin(rows.image, entry.files)
            boxes[mine] = entry.reading.boxes(rows.quads[mine], of_image[mine])
    for label, own in by_class.items():
        mine = rows.class_id == label
        boxes[mine] = own.boxes(rows.quads[mine], of_image[mine])
    return Rows(**{**vars(rows), "quads": RIGHT.written(boxes, of_image)})


def as_meant(rows: Rows, meant: Mapping[int, int], votes: Iterable[FileVotes]) -> Rows:
    """The rows with the ids that are meant, ``meant`` {id written: id meant}: files that vote for a map, by theirs."""
    ids = _mapped(rows.class_id, meant)
    for entry in votes:
        if entry.meant:
            mine = np.isin(rows.image, entry.files)
            ids[mine] = _mapped(rows.class_id[mine], entry.meant)
    return Rows(**{**vars(rows), "class_id": ids})


def _mapped(ids: np.ndarray, meant: Mapping[int, int]) -> np.ndarray:
    return np.array([meant.get(i, i) for i in ids.tolist()], np.int64)
