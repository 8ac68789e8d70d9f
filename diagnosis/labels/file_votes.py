"""Single files that are written otherwise than the rest: their readings, their class maps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .by_model import ByModel
from .class_maps import ClassMap, class_maps
from .class_units import units
from .fit import image_fits
from .grammar import weight
from .matched import Matched
from .material import Material
from .reading import Reading
from .likelihood import log_likelihoods, usual_deviation
from .part_fit import fitted, grid
from .part_classes import class_groups
from .part_search import groups
from .rows import Rows
from .seen import Seen
from .votes import Vote, vote

AGREES = 0.5  # part of a file's pairs that a class map must explain beyond the map of all files
FITTED = {"shift", "scale", "size"}
NAMED = 1  # departures of what files may vote for
ODD = 0.3  # fit below which a file is asked about two departures
DOUBLE = 2.0  # log odds against two departures at once


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
    by_reading = _by_reading(rows, material, model, matched)
    taken = np.concatenate([np.empty(0, np.int64), *(entry.files for entry in by_reading)])
    return [*by_reading, *_by_classes(material, matched, held, crossed, taken)]


def _by_reading(rows: Rows, material: Material, model: ByModel, matched: Matched) -> list[FileVotes]:
    """Readings that the labels of some files are likelier under than under that of all."""
    seen, held = material.seen or [], model.reading
    usual = usual_deviation(matched, len(rows))
    could = np.isfinite(model.own)
    single = [reading for reading in model.hypotheses if weight(reading) <= 1 and reading != held]
    coarse = [] if held.departures else list(grid(held, not material.polygons))
    double = [reading for reading in model.hypotheses if weight(reading) == 2 and reading != held]  # noqa: PLR2004
    simple = [*single, *(reading for reading, _ in coarse)]
    gains = _gains(rows, seen, held, simple, usual)
    odd = np.flatnonzero(could & (model.own < ODD))
    if len(odd):
        further = np.zeros((len(seen), len(double)))
        further[odd] = _gains(rows.of_images(odd), [seen[place] for place in odd.tolist()], held, double, usual)
        gains = np.concatenate((gains, further), 1)
    else:
        double = []
    candidates = [*simple, *double]
    costs = [*[np.log(len(single) + 1)] * len(single), *(cost for _, cost in coarse)]
    costs += [np.log(len(candidates)) + DOUBLE] * len(double)
    entries = []
    for group in groups(gains, np.array(costs), could):
        theirs = rows.of_images(group.files), [seen[place] for place in group.files.tolist()]
        chosen = candidates[group.place]
        base = held if set(chosen.departures) <= FITTED else chosen
        reading = fitted(*theirs, base, usual, not material.polygons)
        if reading == held:
            continue
        entries.append(FileVotes(files=group.files, could=int(could.sum()), probability=float(np.exp(-group.score)), reading=reading))
    return entries


def _gains(rows, seen, held, candidates, usual):
    found = log_likelihoods(rows, seen, (held, *candidates), usual)
    return found[:, 1:] - found[:, :1]


def _by_classes(
    material: Material, matched: Matched, held: ClassMap, crossed: np.ndarray, taken: np.ndarray
) -> list[FileVotes]:
    """Class maps that explain what is at odds in some files."""
    rest = ~np.isin(matched.image, taken)
    pairs = matched.chosen(rest)
    written = np.array([held.meant.get(i, i) for i in pairs.written.tolist()], np.int64)
    listed = units(pairs, written, crossed[rest])
    maps = class_maps(material.names, material.used)
    back = {means: i for i, means in held.meant.items()}
    named = [_after(entry, back) for entry in maps if entry != held]
    could = len({unit.file for unit in listed})
    return [
        FileVotes(files=group.files, could=could, probability=float(np.exp(-group.score)), code=group.code,
                  meant={i: group.meant.get(j, j) for i, j in held.meant.items()} if group.meant else {}, k=group.k)
        for group in class_groups(listed, named, max(len(material.names), 2))
    ]


def _after(entry: ClassMap, back: dict[int, int]) -> ClassMap:
    """A map of the classes that ids are held to mean."""
    meant = {means: entry.meant[i] for means, i in back.items() if i in entry.meant}
    return ClassMap(code=entry.code or "ids_shifted", meant=meant, k=entry.k)
