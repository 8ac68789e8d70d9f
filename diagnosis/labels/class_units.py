"""What a file shows of a class: how often a written id is seen as another, and how surprising that is."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .matched import Matched

SURE = 0.4  # confidence from which a detection speaks about its class
STEPS = (0.6, 0.8)  # of confidence, between which models err alike
USUAL = (0.15, 0.06, 0.02)  # how often they do, until the set shows it
AS_MANY = 10  # files that the usual rates count for
FOR_A_CLASS = 6  # files of one class that the rate over all classes counts for
UNKNOWN = 0.1  # misnamed files that a class is taken to have until files show otherwise
SAME_WAY = 0.35  # how likely the next object of an image is misnamed as the last one was
MOST_SAME = 4  # objects beyond the first that count


@dataclass(frozen=True)
class Unit:
    """In ``file``, ``count`` labels of a class (``written``, after the map of all ids) are seen as ``sees``.

    ``step`` of the confidence of the surest of them.
    """

    file: int
    written: int
    sees: int
    count: int
    step: int


def units(matched: Matched, written: np.ndarray, fits: np.ndarray) -> list[Unit]:
    """What the surer pairs show, file by file; ``fits`` (k,): pairs that are right whatever their classes."""
    sees = np.where(fits, written, matched.sees)
    counts: Counter[tuple[int, int, int]] = Counter()
    surest: dict[tuple[int, int, int], float] = {}
    columns = (matched.image.tolist(), written.tolist(), sees.tolist())
    for key, confidence in zip(zip(*columns, strict=True), matched.confidence.tolist(), strict=True):
        if confidence >= SURE:
            counts[key] += 1
            surest[key] = max(confidence, surest.get(key, 0.0))
    steps = {key: int(np.searchsorted(STEPS, confidence, "right")) for key, confidence in surest.items()}
    return [
        Unit(file=file, written=one, sees=other, count=count, step=steps[file, one, other])
        for (file, one, other), count in counts.items()
    ]


class Misnaming:
    """How often the model misnames, as files show that are taken to be right."""

    def __init__(self, right: Iterable[Unit], classes: int):
        right = list(right)
        self._of, self._wrong = Counter(unit.step for unit in right), Counter()
        self._of_class, self._wrong_class = Counter(unit.written for unit in right), Counter()
        self._as, self._seen = Counter(), Counter(unit.sees for unit in right)
        self._total, self._classes = max(len(right), 1), max(classes, 2)
        for unit in right:
            if unit.sees != unit.written:
                self._wrong[unit.step] += 1
                self._wrong_class[unit.written] += 1
                self._as[unit.written, unit.sees] += 1

    def rate(self, unit: Unit) -> float:
        """How likely a class of a file is misnamed, at this confidence, for this class."""
        step, one = unit.step, unit.written
        over_all = (self._wrong[step] + AS_MANY * USUAL[step]) / (self._of[step] + AS_MANY)
        wrong = self._wrong_class[one] + FOR_A_CLASS * over_all + UNKNOWN
        return min(wrong / (self._of_class[one] + FOR_A_CLASS + UNKNOWN), 0.9)

    def named(self, written: int, sees: int) -> float:
        """How likely a class, where it is misnamed, is named so."""
        anyhow = (self._seen[sees] / self._total + 1 / self._classes) / 2
        return (self._as[written, sees] + anyhow) / (self._wrong_class[written] + 1)

    def log(self, unit: Unit, means: int) -> float:
        """The log probability of what is seen, where the label means a class."""
        rate = self.rate(unit)
        if unit.sees == means:
            return float(np.log(1 - rate))
        again = min(unit.count - 1, MOST_SAME) * np.log(SAME_WAY)
        return float(np.log(rate * self.named(unit.written, unit.sees)) + again)


def gain(unit: Unit, means: Sequence[int], misnaming: Misnaming) -> float:
    """How much likelier what is seen is where the label means one of some classes, than where it means its own."""
    likely = [misnaming.log(unit, one) for one in means]
    return float(np.logaddexp.reduce(likely) - np.log(len(means)) - misnaming.log(unit, unit.written))


def gain_of_any(unit: Unit, classes: int, misnaming: Misnaming) -> float:
    """The same where the label means whichever of so many classes."""
    return float(np.log((1 - misnaming.rate(unit)) / classes) - misnaming.log(unit, unit.written))


def by_file(listed: Iterable[Unit]) -> Mapping[int, list[Unit]]:
    """The units of each file."""
    found: dict[int, list[Unit]] = {}
    for unit in listed:
        found.setdefault(unit.file, []).append(unit)
    return found
