"""Which class each written id means: maps of all ids, weighed on pairs of a label and a detection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .matched import Matched
from .search import Difference, difference

COCO_UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
"""The numbers between 1 and 90 that COCO's categories leave out (https://cocodataset.org/#stuff-eval)."""
COCO_NUMBERS = tuple(number for number in range(1, 91) if number not in COCO_UNUSED)
COCO_CLASSES = len(COCO_NUMBERS)
LEAST = 0.5  # part of the pairs that a map must explain
GAIN = 0.25  # part of the pairs that it must explain beyond the ids as written
FARTHEST = 3  # shifts that are weighed


@dataclass(frozen=True)
class ClassMap:
    """``meant`` {id written: id meant}; ``code`` of the fault, "" for the ids as they stand, and ``k`` of a shift."""

    code: str
    meant: Mapping[int, int]
    k: int = 0


@dataclass(frozen=True)
class ClassChoice:
    """The map that pairs choose: the part of them that it explains, and that the ids as written do."""

    map: ClassMap
    explained: float
    as_written: float
    gain: Difference
    pairs: int
    proven: bool
    others: Mapping[str, float] = field(default_factory=dict)


def class_maps(names: Mapping[int, str], used: np.ndarray) -> list[ClassMap]:
    """The maps worth weighing for classes of these names and ids that are ``used``; the ids as they stand first."""
    count = max([*names, *used.tolist(), 0]) + 1
    ids = range(-FARTHEST, count + FARTHEST + 1)
    found = [ClassMap("", {i: i for i in ids})]
    found += [ClassMap("ids_shifted", {i: i - k for i in ids}, k) for k in (1, -1, 2, -2, 3, -3)]
    if names:
        found += _by_names(names)
    if len(names) == COCO_CLASSES:
        for k in (0, -1):
            found.append(ClassMap("ids_coco91", {number + k: i for i, number in enumerate(COCO_NUMBERS)}, k))
    return found


def _by_names(names: Mapping[int, str]) -> list[ClassMap]:
    """Orders that names may have been put in, and ids counted in them from 0 or from 1."""
    found: list[ClassMap] = []
    in_order = sorted(names)
    alphabetical = sorted(in_order, key=lambda i: names[i].casefold())
    if alphabetical != in_order:
        for k in (0, 1):
            ranks = {place + k: i for place, i in enumerate(alphabetical)}
            found.append(ClassMap("ids_alphabetical", ranks, k))
    found += _as_strings(in_order)
    if len(in_order) > 2:
        found.append(ClassMap("ids_permuted", dict(enumerate(reversed(in_order)))))
        for k in (1, -1):  # around the end
            turned = {i: in_order[(place - k) % len(in_order)] for place, i in enumerate(in_order)}
            found.append(ClassMap("ids_shifted", turned, k))
    return found


def _as_strings(in_order: Sequence[int]) -> list[ClassMap]:
    """Ids or keys sorted as strings, "1", "10", "11", …, "2", counted from 0 or from 1, and either list taken for both.

    As sorted names of files or keys of a dict are: a written id is the place of what is meant among them, or a place
    in the list of names is that of what is written.
    """
    found: list[ClassMap] = []
    for first in (0, 1):
        as_strings = sorted(in_order, key=lambda i, first=first: str(i + first))
        if as_strings != in_order:
            found.append(ClassMap("ids_as_strings", dict(zip(in_order, as_strings, strict=True))))
            found.append(ClassMap("ids_as_strings", dict(zip(as_strings, in_order, strict=True))))
    return found


def explained(matched: Matched, meant: Mapping[int, int]) -> np.ndarray:
    """Whether each pair (k,) agrees in its class under a map."""
    return np.array([meant.get(i) for i in matched.written.tolist()], object) == matched.sees.astype(object)


def choose_map(matched: Matched, maps: list[ClassMap]) -> ClassChoice:
    """The map that explains most pairs, proven by images; else the ids as they stand."""
    if not len(matched):
        return ClassChoice(maps[0], 0.0, 0.0, difference(np.empty(0)), 0, False)
    right = np.stack([explained(matched, entry.meant) for entry in maps], 1)
    shares = right.mean(0)
    free = _free_map(matched)
    if free is not None:
        maps = [*maps, free]
        right = np.concatenate((right, explained(matched, free.meant)[:, None]), 1)
        shares = right.mean(0)
    place = int(shares.argmax())
    if place == len(maps) - 1 and free is not None:  # a named map is simpler
        named = int(shares[:-1].argmax())
        place = named if shares[named] > shares[place] - 0.1 else place
    gain = difference(per_image(right[:, place].astype(float) - right[:, 0], matched.image))
    proven = place > 0 and shares[place] >= LEAST and shares[place] - shares[0] >= GAIN and gain.proven()
    return ClassChoice(
        map=maps[place] if proven else maps[0],
        explained=float(shares[place]),
        as_written=float(shares[0]),
        gain=gain,
        pairs=len(matched),
        proven=proven,
    )


def per_image(values: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The mean of values (k,) of each image."""
    groups, count = np.unique(image, return_inverse=True)[1], len(np.unique(image))
    return np.bincount(groups, values, count) / np.bincount(groups, minlength=count)


def _free_map(matched: Matched) -> ClassMap | None:
    """Each id that three pairs or more show as one other class, in the main; None unless many ids are such."""
    written, sees = matched.written, matched.sees
    meant: dict[int, int] = {}
    for i in np.unique(written).tolist():
        classes, counts = np.unique(sees[written == i], return_counts=True)
        best = int(counts.argmax())
        if counts[best] >= 3 and counts[best] >= 0.6 * counts.sum():
            meant[i] = int(classes[best])
    moved = [i for i, j in meant.items() if i != j]
    apart = len(set(meant.values())) == len(meant)
    if len(moved) < 3 or not apart:
        return None
    return ClassMap("ids_permuted", {**{int(i): int(i) for i in np.unique(written)}, **meant})
