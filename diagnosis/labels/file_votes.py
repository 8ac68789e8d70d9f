"""Single files that are written otherwise than the rest: their readings, their class maps."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

import numpy as np

from .by_model import ByModel
from .class_maps import ClassMap, class_maps
from .class_units import units
from .matched import Matched
from .material import Material
from .part_classes import ClassGroup, class_groups
from .part_readings import reading_groups
from .reading import Reading
from .rows import Rows


@dataclass(frozen=True)
class FileVotes:
    """``files`` (n,), places of the images looked at, that speak for a ``reading``, or for a class ``code`` and map.

    Of so many that ``could`` tell. ``probability``: a bound on that of as much evidence by chance. ``meant`` {id
    written: id meant}, None where what labels mean is not in the files. ``against`` (m,): images whose labels fit as
    they are; the others say neither. Of the boxes of these files ``better`` fit better by the reading, and ``worse``
    worse.
    """

    files: np.ndarray
    could: int
    probability: float
    reading: Reading | None = None
    code: str = ""
    meant: Mapping[int, int] | None = None
    k: int = 0
    against: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    better: int = 0
    worse: int = 0


def vote_by_files(
    rows: Rows,
    material: Material,
    model: ByModel,
    matched: Matched,
    held: ClassMap,
    crossed: np.ndarray,
    apart: Container[int] = (),
) -> list[FileVotes]:
    """What some of the files say that the rest do not.

    ``held``: the class map of all files; ``crossed`` (k,): pairs that a swap or a merge of two classes explains.
    ``apart``: ids whose boxes are read in their own way in all files, and say nothing of single ones.
    """
    shared = rows.chosen(np.array([label not in apart for label in rows.class_id.tolist()], bool))
    by_reading = [
        FileVotes(
            files=group.files,
            could=group.could,
            probability=_chance(group.score),
            reading=group.reading,
            against=group.against,
            better=group.better,
            worse=group.worse,
        )
        for group in reading_groups(shared, material.seen or [], model, matched, material.polygons)
    ]
    taken = np.concatenate([np.empty(0, np.int64), *(entry.files for entry in by_reading)])
    return [*by_reading, *_by_classes(material, matched, held, crossed, taken)]


def _chance(score: float) -> float:
    """Right labels are so many times likelier under another hypothesis in so few sets, at most (Markov)."""
    return float(np.exp(-score))


def _by_classes(
    material: Material, matched: Matched, held: ClassMap, crossed: np.ndarray, taken: np.ndarray
) -> list[FileVotes]:
    """Class maps that explain what is at odds in some files; those ``taken`` have boxes of another reading."""
    rest = ~np.isin(matched.image, taken)
    pairs = matched.chosen(rest)
    written = np.array([held.meant.get(i, i) for i in pairs.written.tolist()], np.int64)
    listed = units(pairs, written, crossed[rest])
    named = [_after(entry, held) for entry in class_maps(material.names, material.used) if entry != held]
    could = len({unit.file for unit in listed})
    return [
        FileVotes(
            files=group.files,
            could=could,
            probability=_chance(group.score),
            code=group.code,
            meant=_before(group, held),
            k=group.k,
            against=group.against,
        )
        for group in class_groups(listed, named, len(material.names))
    ]


def _after(entry: ClassMap, held: ClassMap) -> ClassMap:
    """A map as one of the classes that ids are held to mean."""
    meant = {means: entry.meant[i] for i, means in held.meant.items() if i in entry.meant}
    return ClassMap(code=entry.code or held.code, meant=meant, k=entry.k)


def _before(group: ClassGroup, held: ClassMap) -> Mapping[int, int] | None:
    """The map of a group as one of the ids that are written."""
    return {i: group.meant.get(j, j) for i, j in held.meant.items()} if group.meant else None
