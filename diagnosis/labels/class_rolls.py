"""The column of class ids moved on by a row within each file, as joining tables row by row does."""

from dataclasses import dataclass

import numpy as np

from .class_maps import GAIN, LEAST, per_image
from .matched import Matched
from .rows import Rows
from .search import Difference, difference

CODE = "ids_rolled"


@dataclass(frozen=True)
class ClassRoll:
    """Each row has the class of the one ``by`` rows before it in its file (of the one after it: −1), round the end.

    Of ``pairs`` in files of several classes, the part so ``explained``, and that the ids as they stand explain.
    """

    by: int
    explained: float
    as_written: float
    gain: Difference
    pairs: int


def find_roll(rows: Rows, matched: Matched) -> ClassRoll | None:
    """The roll that explains most of the pairs in files of several classes, proven by images; else None."""
    mixed = np.isin(matched.image, _of_several_classes(rows))
    row, sees, image = matched.row[mixed], matched.sees[mixed], matched.image[mixed]
    if not len(row):
        return None
    right = rows.class_id[row] == sees
    found = []
    for by in (1, -1):
        so = rolled_back(rows, by)[row] == sees
        entry = ClassRoll(
            by=by,
            explained=float(so.mean()),
            as_written=float(right.mean()),
            gain=difference(per_image(so.astype(float) - right, image)),
            pairs=len(row),
        )
        found.append(entry)
    best = max(found, key=lambda entry: entry.explained)
    enough = best.explained >= LEAST and best.explained - best.as_written >= GAIN
    return best if enough and best.gain.proven() else None


def rolled_back(rows: Rows, by: int) -> np.ndarray:
    """The class id (n,) that each row has, if those of its file stand ``by`` rows too far on."""
    begin = np.searchsorted(rows.image, rows.image, "left")
    count = np.searchsorted(rows.image, rows.image, "right") - begin
    return rows.class_id[begin + (np.arange(len(rows)) - begin + by) % np.maximum(count, 1)]


def _of_several_classes(rows: Rows) -> np.ndarray:
    """The images whose rows are of more than one class."""
    image = np.unique(np.stack((rows.image, rows.class_id)), axis=1)[0]
    places, counts = np.unique(image, return_counts=True)
    return places[counts > 1]
