"""Single files that are written otherwise than the rest: their readings, their class maps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .by_model import ByModel
from .class_maps import ClassMap, class_maps, explained
from .fit import image_fits
from .grammar import weight
from .matched import Matched
from .material import Material
from .reading import Reading
from .residuals import STARTS, refine
from .rows import Rows
from .seen import Seen
from .votes import Vote, vote

AGREES = 0.5  # part of a file's pairs that a class map must explain beyond the map of all files
FITTED = {"shift", "scale", "size"}
NAMED = 1  # departures of what files may vote for


@dataclass(frozen=True)
class FileVotes:
    """``files`` (n,), places of the images looked at, that vote for a ``reading``, or for a class ``code`` and map."""

    files: np.ndarray
    could: int
    probability: float
    reading: Reading | None = None
    code: str = ""
    meant: dict[int, int] | None = None
    k: int = 0


def vote_by_files(
    rows: Rows, material: Material, model: ByModel, matched: Matched, held: ClassMap, crossed: np.ndarray
) -> list[FileVotes]:
    """What some of the files say that the rest do not.

    ``held``: the class map of all files; ``crossed`` (k,): pairs that a swap or a merge of two classes explains.
    """
    by_reading = _by_reading(rows, material, model)
    taken = np.concatenate([np.empty(0, np.int64), *(entry.files for entry in by_reading)])
    return [*by_reading, *_by_classes(material, matched, held, crossed, taken)]


def _by_reading(rows: Rows, material: Material, model: ByModel) -> list[FileVotes]:
    seen = material.seen or []
    simple = [reading for reading in model.hypotheses if weight(reading) <= NAMED and reading != model.reading]
    candidates = [*simple, *_odd_ones(model)]
    fits = image_fits(rows, seen, candidates)
    votes = vote(fits, model.own, range(len(candidates)))
    return [_of_reading(entry, candidates[entry.place], rows, seen) for entry in votes]


def _of_reading(entry: Vote, reading: Reading, rows: Rows, seen: Sequence[Seen]) -> FileVotes:
    if reading.departures and set(reading.departures) <= FITTED:
        base = replace(reading, shift=(0.0, 0.0), scale=(1.0, 1.0), size=1.0)
        theirs = [seen[place] for place in entry.files.tolist()]
        fitted = refine(rows.of_images(entry.files), theirs, base, fewest=len(theirs) // 2).reading
        reading = fitted if fitted.departures else reading
    return FileVotes(files=entry.files, could=entry.could, probability=entry.probability, reading=reading)


def _odd_ones(model: ByModel) -> list[Reading]:
    """Shifts, scales and sizes, coarsely."""
    if model.reading.departures:
        return []
    return [replace(model.reading, **start) for start in STARTS if start]


def _by_classes(
    material: Material, matched: Matched, held: ClassMap, crossed: np.ndarray, taken: np.ndarray
) -> list[FileVotes]:
    """Class maps that some files agree with and the rest do not."""
    maps = class_maps(material.names, material.used)
    count = len(material.looked)
    pairs = np.bincount(matched.image, minlength=count).astype(float)
    pairs[taken] = 0
    shares = np.full((count, len(maps)), np.nan)
    for place, entry in enumerate(maps):
        right = np.bincount(matched.image, explained(matched, entry.meant), count)
        shares[pairs > 0, place] = right[pairs > 0] / pairs[pairs > 0]
    as_held = np.full(count, np.nan)
    right = np.bincount(matched.image, explained(matched, held.meant) | crossed, count)
    as_held[pairs > 0] = right[pairs > 0] / pairs[pairs > 0]
    candidates = [place for place, entry in enumerate(maps) if entry != held]
    votes = vote(shares, as_held, candidates, gain=AGREES, least=AGREES, alike=1e-9)
    return [
        FileVotes(
            files=entry.files,
            could=entry.could,
            probability=entry.probability,
            code=maps[entry.place].code,
            meant=dict(maps[entry.place].meant),
            k=maps[entry.place].k,
        )
        for entry in votes
    ]
