"""Two classes that are labelled one for the other, or as one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .matched import Matched
from .rows import Rows

FEWEST = 4  # pairs
NEARLY_ALL = 0.75
SURE = 0.4  # confidence from which a detection speaks about its class
SUREST = 0.6
OFTEN = 0.12  # part of the pairs of a merged class that show the other one
SOMETIMES = 0.04  # the same, of those that the model is surest of


@dataclass(frozen=True)
class ClassPair:
    """``code``: "classes_swapped" or "classes_merged"; the two classes, the one that is labelled first.

    ``for_each_other``: pairs that are labelled the one and seen the other; ``pairs``: all of either.
    """

    code: str
    first: int
    second: int
    for_each_other: int
    pairs: int


def class_pairs(rows: Rows, matched: Matched, meant: Mapping[int, int], names: Mapping[int, str]) -> list[ClassPair]:
    """Swaps and merges under a map of all ids, none on fewer than four pairs."""
    written = np.array([meant.get(i, i) for i in matched.written.tolist()], np.int64)
    sure = matched.confidence >= SURE
    counts: dict[tuple[int, int], int] = {}
    for one, other in zip(written[sure].tolist(), matched.sees[sure].tolist(), strict=True):
        counts[one, other] = counts.get((one, other), 0) + 1
    surest = matched.confidence >= SUREST
    crossed = list(zip(written[surest].tolist(), matched.sees[surest].tolist(), strict=True))
    used = {meant.get(i, i) for i in np.unique(rows.class_id).tolist()}
    found = [pair for pair in _swaps(counts) if pair.second in used]
    for pair in _merges(counts, used, names):
        sure_ones = crossed.count((pair.first, pair.second))
        if pair.for_each_other >= OFTEN * pair.pairs or (sure_ones >= FEWEST and sure_ones >= SOMETIMES * pair.pairs):
            found.append(pair)
    taken: set[int] = set()
    kept = []
    for pair in sorted(found, key=lambda entry: -entry.for_each_other):
        if not taken & {pair.first, pair.second}:
            taken |= {pair.first, pair.second}
            kept.append(pair)
    return kept


def _swaps(counts: Mapping[tuple[int, int], int]) -> Iterator[ClassPair]:
    for (one, other), crossed in counts.items():
        back = counts.get((other, one), 0)
        if one == other or (crossed, -one) < (back, -other):
            continue
        straight = counts.get((one, one), 0) + counts.get((other, other), 0)
        of_one = sum(count for (written, _), count in counts.items() if written == one)
        of_other = sum(count for (written, _), count in counts.items() if written == other)
        nearly_all = crossed >= NEARLY_ALL * of_one and back >= NEARLY_ALL * of_other
        if crossed + back >= FEWEST and nearly_all and straight <= (crossed + back) / 4:
            yield ClassPair("classes_swapped", one, other, crossed + back, of_one + of_other)


def _merges(counts: Mapping[tuple[int, int], int], used: set[int], names: Mapping[int, str]) -> Iterator[ClassPair]:
    """Classes that are never labelled, though the model sees them where another class is."""
    unused = set(names or {other for _, other in counts}) - used
    for (one, other), crossed in counts.items():
        if one == other or other not in unused or crossed < FEWEST:
            continue
        of_one = sum(count for (written, _), count in counts.items() if written == one)
        of_other = sum(count for (_, seen), count in counts.items() if seen == other)
        if crossed >= NEARLY_ALL * of_other:
            yield ClassPair("classes_merged", one, other, crossed, of_one)
