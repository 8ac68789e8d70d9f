"""Files whose ids mean other classes than those of the rest: one map that explains all that is at odds in them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .class_maps import ClassMap
from .class_naming import Found, named_by
from .class_units import Misnaming, Unit, by_file, gain, gain_of_any

JOINS = 2.2  # log odds against a file's being one of them
PROVEN, OF_FEW = 5.0, 9.0  # log odds, after the cost of the search; where only two files show it
MARGIN = 1.5  # what a file must add to the odds: a single class of a single file that is at odds does not
FEWEST, LEAST = 3, 0.03  # files, and part of those that could tell
STARTS = 24  # groups that the search begins with, those of most files
ROUNDS = 3


@dataclass(frozen=True)
class ClassGroup:
    """``files`` whose ids mean others by ``meant`` {id written: id meant}; ``code``, and ``k`` of a shift.

    ``score``: the log of its odds, the search paid for. ``against`` (m,): files that fit as they are.
    """

    files: np.ndarray
    code: str
    meant: Mapping[int, int]
    score: float
    k: int = 0
    against: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))


def class_groups(listed: Sequence[Unit], named: Sequence[ClassMap], classes: int) -> list[ClassGroup]:
    """The groups of files that other maps of ids explain, the strongest first. Ids as they are held to mean classes."""
    found: list[ClassGroup] = []
    units = list(listed)
    could = len({unit.file for unit in units})
    while True:
        search = _Search(units, classes)
        best = max(search.groups(named), key=lambda group: (_proven(group, could), group.score), default=None)
        if best is None or not _proven(best, could):
            return found
        found.append(replace(best, against=search.against(best)))
        units = [unit for unit in units if unit.file not in set(best.files.tolist())]


def _proven(group: ClassGroup, could: int) -> bool:
    """Whether enough files show it, and surely; few files have to show more."""
    files = len(group.files)
    return files >= max(2, LEAST * could) and group.score >= (PROVEN if files >= FEWEST else OF_FEW)


class _Search:
    """For the maps of one group among the files of some units."""

    def __init__(self, units: list[Unit], classes: int):
        self._units, self._files, self._classes = units, by_file(units), classes
        self._at_odds = _at_odds(units)
        self._classes_seen = tuple(sorted({unit.sees for unit in units}))
        self._cost = float(np.log(2 * max(len({unit.sees for unit in units}), 2)))

    def groups(self, named: Sequence[ClassMap]) -> Iterable[ClassGroup]:
        """What fits best of the maps that have a name, and from each start of those that have none."""
        for entry in named:
            yield self._of_named(entry, float(np.log(len(named))))
        apart = Counter((unit.written, unit.sees) for unit in self._units if unit.sees != unit.written)
        for pair, _ in apart.most_common(STARTS):
            yield self._grown({unit.file for unit in self._units if (unit.written, unit.sees) == pair} & self._at_odds)

    def against(self, group: ClassGroup) -> np.ndarray:
        """The files that the map of a group explains worse than what is held, as surely as others join it."""
        mine = set(group.files.tolist())
        misnaming = self._misnaming(mine)
        others = [file for file in self._files if file not in mine]
        return np.array([file for file in others if self._loses(file, group.meant, misnaming)], np.int64)

    def _loses(self, file: int, meant: Mapping[int, int], misnaming: Misnaming) -> bool:
        gains = (gain(unit, (meant.get(unit.written, unit.written),), misnaming) for unit in self._files[file])
        return sum(gains) < -JOINS

    def _misnaming(self, files: set[int]) -> Misnaming:
        return Misnaming((unit for unit in self._units if unit.file not in files), self._classes)

    def _of_named(self, entry: ClassMap, cost: float) -> ClassGroup:
        all_at_odds = {unit.file for unit in self._units if unit.sees != unit.written}
        files = set(all_at_odds)
        for _ in range(ROUNDS):
            misnaming = self._misnaming(files)
            gains = {file: self._file_gain(file, entry.meant, misnaming) for file in all_at_odds}
            files = {file for file, value in gains.items() if value > JOINS}
        score = sum(gains[file] - JOINS for file in files) - cost
        return ClassGroup(np.array(sorted(files), np.int64), entry.code, dict(entry.meant), score, entry.k)

    def _file_gain(self, file: int, meant: Mapping[int, int], misnaming: Misnaming) -> float:
        return sum(gain(unit, (meant.get(unit.written, -1),), misnaming) for unit in self._files[file])

    def _grown(self, files: set[int]) -> ClassGroup:
        """Files join and leave as long as the whole becomes likelier."""
        best = self._score(files)
        for _ in range(ROUNDS):
            before = set(files)
            for file in sorted(self._at_odds):
                other = files ^ {file}
                score = self._score(other)
                if score > best + (MARGIN if file in other else -MARGIN):
                    files, best = other, score
            if files == before:
                break
        return self._told(files, best)

    def _score(self, files: set[int]) -> float:
        return sum(value for _, value in self._map(files).values()) - JOINS * len(files)

    def _map(self, files: set[int]) -> dict[int, tuple[tuple[int, ...], float]]:
        """Of each id that means another class, or another one too, which, and what that brings."""
        misnaming = self._misnaming(files)
        mine: dict[int, list[Unit]] = {}
        for file in files:
            for unit in self._files[file]:
                mine.setdefault(unit.written, []).append(unit)
        found = {}
        for written, listed in mine.items():
            value, option = self._likeliest(written, listed, misnaming, frozenset(mine))
            if value > 0:
                found[written] = option, value
        return found

    def _likeliest(
        self, written: int, listed: Sequence[Unit], misnaming: Misnaming, ids: frozenset[int]
    ) -> tuple[float, tuple[int, ...]]:
        """What an id means in files with such ``ids``, and what that brings: another class, that too, or whichever."""
        others = {unit.sees for unit in listed} - {written}
        options: list[tuple[int, ...]] = [(other,) for other in others]
        options += [(written, other) for other in others if other not in ids]
        worth = [(sum(gain(unit, option, misnaming) for unit in listed), option) for option in options]
        if len(others) > 1:
            whichever = sum(gain_of_any(unit, len(self._classes_seen), misnaming) for unit in listed)
            worth.append((whichever, self._classes_seen))
        value, option = max(worth, default=(0.0, ()))
        return value - self._cost, option

    def _told(self, files: set[int], score: float) -> ClassGroup:
        """The group by the name of its map; an exchange of two classes is of the files that show it."""
        found = self._map(files)
        code, k, two = named_by(found)
        if code.startswith("classes"):
            found = {written: entry for written, entry in found.items() if written in two}
            files = {file for file in files if any(_shows(unit, found) for unit in self._files[file])}
            score = sum(value for _, value in found.values()) - JOINS * len(files)
        meant = {} if code == "classes_merged" else {written: option[-1] for written, (option, _) in found.items()}
        if code == "classes_swapped":  # one way may not show, and is then not in these files
            one, other = two
            meant = {one: other, other: one}
        return ClassGroup(files=np.array(sorted(files), np.int64), code=code, meant=meant, score=score, k=k)


def _at_odds(units: Sequence[Unit]) -> set[int]:
    """Files that show two classes as others, or one so that another file shows it too: one alone is a model's error."""
    apart = [unit for unit in units if unit.sees != unit.written]
    files = Counter(unit.file for unit in apart)
    shown = Counter((unit.written, unit.sees) for unit in apart)
    return {unit.file for unit in apart if files[unit.file] > 1 or shown[unit.written, unit.sees] > 1}


def _shows(unit: Unit, found: Found) -> bool:
    option = found[unit.written][0] if unit.written in found else ()
    return unit.sees in option and unit.sees != unit.written
