"""What trials of each level say together, over all sizes of images."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..boxes.writing import Size
from ..notes import Notes
from .asking import Asker
from .box_reasons import Level, seen_of, told_of_boxes
from .flooding import mislaid
from .found import Unreadable
from .images import crossing
from .lending import LENT, lent
from .levels import Told, description, fold, note, unexplained
from .scores import SURE, loud
from .trials import ask


def judge(
    levels: Sequence[Level], asker: Asker, notes: Notes, sizes: Sequence[Size], rng: np.random.Generator
) -> tuple[str, float | None]:
    """Note the faults of all levels; what is done, in words, and the share of boxes that nothing explains."""
    told: dict[int, Told] = {}
    for level in levels:
        if level.trials:
            try:
                told[level.index] = _level(level, asker, notes, sizes, rng)
            except Unreadable as error:
                notes.add(error.code, str(error), level=level.index)
    told = _viewed(levels, told, asker, notes, rng)
    if notes.has("class_wrong") or upside_down(levels):  # boxes are known again by their scores
        told = {level: one.without_open(upside_down(levels)) for level, one in told.items()}
    note(told, notes, asker.layout.strides)
    fold(notes, asker.batched)
    return description(told), unexplained(told)


def upside_down(levels: Sequence[Level]) -> bool:
    """Whether cells without an object come out as sure."""
    return any(trial.floor >= SURE for level in levels for trial in level.trials)


def _level(level: Level, asker: Asker, notes: Notes, sizes: Sequence[Size], rng: np.random.Generator) -> Told:
    talking = _talking(level, asker)
    if talking and mislaid(asker, level.trials[-1]):
        return _mislaid(level, notes)
    if not talking and _mixed_images(level, asker, notes):
        return Told("predictions come out in other images too", 0, 0)
    crowded = _crowded(level, asker, notes)
    lost = sum(int((~trial.came).sum()) for trial in level.trials)
    if lost and not crowded and not _moved_out(level):
        borrowed = _borrowed(level, asker, notes, rng)
        if borrowed is not None:
            return borrowed
        if _scattered(level, asker):
            return _mislaid(level, notes)
        notes.add("object_lost", "a sure prediction does not come out", level=level.index, trials=lost)
    seen = seen_of(level, asker)
    if seen is None:
        return Told("nothing comes out", 0, 0)
    _classes(level, notes)
    right = seen.right
    told = None if right.all() else told_of_boxes(level, seen, asker, rng)
    alike = told is None or told.shift is not None  # boxes that overlap as those given do
    if alike and level.crowded and not (crowded or lost):
        what = "a sure prediction is lost among ten in an image"
        notes.add("object_lost", what, level=level.index, trials=level.crowded)
    if told is None:
        return Told("boxes come out as the layout says", len(right), 0)
    if told.unexplained and _renamed(level) and not upside_down([level]) and mislaid(asker, level.trials[-1]):
        return _mislaid(level, notes)
    return told


def _mislaid(level: Level, notes: Notes) -> Told:
    what = "what is said of one cell is read from many"
    notes.add("scrambled_layout", what, level=level.index)
    return Told(what, 0, 0)


def _renamed(level: Level) -> bool:
    """Whether most classes come out as others."""
    given = np.concatenate([trial.given.labels[trial.came] for trial in level.trials])
    got = np.concatenate([trial.labels[trial.came] for trial in level.trials])
    return bool((given != got).mean() > 0.5)


def _borrowed(level: Level, asker: Asker, notes: Notes, rng: np.random.Generator) -> Told | None:
    """What is told of predictions that come out by what other cells lend them, where their boxes are known then."""
    found = lent(asker, level.trials)
    if found is None:
        return None
    code, level = found[0], Level(level.index, found[1])
    seen = seen_of(level, asker)
    if seen is None:
        return None
    right = Told("boxes come out as the layout says", len(seen.came), 0)
    told = right if seen.right.all() else told_of_boxes(level, seen, asker, rng)
    if told.reason is not None and (told.unexplained or "scrambled_layout" in told.reason.codes):
        return None
    notes.add(code, LENT[code], level=level.index)
    return told


def _viewed(
    levels: Sequence[Level], told: dict[int, Told], asker: Asker, notes: Notes, rng: np.random.Generator
) -> dict[int, Told]:
    """What is told of levels that nothing explains, if bins that are viewed as (n, 4) are the cause."""
    other = asker.viewed()
    if other is None or not told or not all(one.open for one in told.values()):
        return told
    found: dict[int, Told] = {}
    for level in levels:
        trials = [ask(other, trial.size, trial.noise, trial.given) for trial in level.trials]
        seen = seen_of(Level(level.index, trials), other)
        if seen is None:
            return told
        right = Told("boxes come out as the layout says", len(seen.came), 0)
        one = right if seen.right.all() else told_of_boxes(Level(level.index, trials), seen, other, rng)
        if one.open:
            return told
        found[level.index] = one
    words = "the raw channels of the four sides are taken as (bins, 4), not as (4, bins)"
    notes.add("scrambled_layout", words)
    return {level: replace(one, words=f"{words}; then {one.words}") for level, one in found.items()}


def _talking(level: Level, asker: Asker) -> bool:
    """Whether something comes out as sure of an image that holds no prediction, where most cells are silent."""
    trial = next((trial for trial in level.trials if trial.elsewhere and not loud(trial)), None)
    return trial is not None and any(len(one.sure(0.5).boxes) for one in asker.plain(trial.noise))


def _mixed_images(level: Level, asker: Asker, notes: Notes) -> bool:
    strayed = [trial for trial in level.trials if trial.elsewhere and not loud(trial)]
    elsewhere = sum(trial.elsewhere for trial in strayed if crossing(asker, trial))
    if elsewhere:
        what = "a prediction of one image comes out in another"
        notes.add("mixed_batch", what, level=level.index, trials=elsewhere)
    return elsewhere > 0


def _crowded(level: Level, asker: Asker, notes: Notes) -> bool:
    """Whether an image loses a prediction, which comes out alone, when every image holds the same one."""
    trial = level.trials[0]
    batch = len(trial.noise[0])
    if batch == 1 or not trial.came.any():
        return False
    one = trial.given.take(np.flatnonzero(trial.came)[:1])
    everywhere = one.take(np.zeros(batch, int))
    everywhere.images[:] = np.arange(batch)
    alone, together = (ask(asker, trial.size, trial.noise, given) for given in (one, everywhere))
    if alone.came.all() and not together.came.all():
        what = "a prediction does not come out when another image of the batch holds the same one"
        notes.add("mixed_batch", what, level=level.index)
        return True
    return False


def _scattered(level: Level, asker: Asker) -> bool:
    """Whether a level loses more predictions than not because channels are read from other cells."""
    lost = np.concatenate([~trial.came for trial in level.trials])
    return bool(lost.mean() > 0.5 and mislaid(asker, level.trials[-1]))


def _moved_out(level: Level) -> bool:
    """Whether all that is lost is of classes of which nothing comes, while all others come as another."""
    given = np.concatenate([trial.given.labels for trial in level.trials])
    came = np.concatenate([trial.came for trial in level.trials])
    other = np.concatenate([trial.labels for trial in level.trials]) != given
    return bool(came.any() and other[came].all() and not np.isin(given[~came], given[came]).any())


def _classes(level: Level, notes: Notes) -> None:
    given = np.concatenate([trial.given.labels[trial.came] for trial in level.trials])
    got = np.concatenate([trial.labels[trial.came] for trial in level.trials])
    wrong = given != got
    if wrong.mean() > 0.1:
        apart = set((got - given).tolist())
        what = (
            f"the class comes out as another, always {apart.copy().pop():+d}"
            if len(apart) == 1
            else "the class comes out as another"
        )
        first = int(np.flatnonzero(wrong)[0])
        notes.add("class_wrong", what, level=level.index, given=int(given[first]), got=int(got[first]))
