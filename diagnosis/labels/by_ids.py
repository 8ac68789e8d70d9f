"""What the class ids alone say where nothing was seen of the classes: ids from 1, and COCO's 91 numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

from .class_maps import COCO_CLASSES, COCO_NUMBERS, COCO_UNUSED, ClassMap

CHANCE = 0.01  # up to which ids that miss all of COCO's gaps do not so by chance


@dataclass(frozen=True)
class ByIds:
    """``map`` that the ids in use suggest, and ``why`` in words."""

    map: ClassMap
    why: str


def judge_by_ids(names: Mapping[int, str], used: Sequence[int]) -> ByIds | None:
    """What ids in ``use`` suggest beside so many names; None where they are as they should be, or tell nothing."""
    if not names or not used or min(used) < 0 or sorted(names) != list(range(len(names))):
        return None
    return _coco91(names, used) or _from_one(names, used)


def _from_one(names: Mapping[int, str], used: Sequence[int]) -> ByIds | None:
    """Ids that count from 1: the last is one beyond the names, and 0 is never used."""
    count = len(names)
    if min(used) < 1 or max(used) != count:
        return None
    found = ClassMap("ids_shifted", {i: i - 1 for i in range(count + 1)}, 1)
    return ByIds(found, f"no label has the id 0, and the highest is {count} where the {count} names end at {count - 1}")


def _coco91(names: Mapping[int, str], used: Sequence[int]) -> ByIds | None:
    """COCO's 91 numbers, counted from 1 or from 0: ids beyond the names, none of which is a number that is not used."""
    if len(names) != COCO_CLASSES or max(used) < COCO_CLASSES:
        return None
    for first in (1, 0):
        numbers = {number - 1 + first: i for i, number in enumerate(COCO_NUMBERS)}
        if set(used) <= set(numbers) and _by_chance(len(set(used))) < CHANCE:
            gaps = ", ".join(str(number - 1 + first) for number in COCO_UNUSED)
            why = f"the ids go up to {max(used)}, beyond the {len(names)} names, and skip {gaps}"
            return ByIds(ClassMap("ids_coco91", numbers, first - 1), why)
    return None


def _by_chance(count: int) -> float:
    """The probability that so many ids of all numbers miss all that are not used."""
    total = COCO_CLASSES + len(COCO_UNUSED)
    return comb(COCO_CLASSES, count) / comb(total, count) if count <= COCO_CLASSES else 0.0
