"""What trials of each level say together, over all sizes of images."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..boxes.terms import declared
from ..boxes.writing import Size, at_cells, channels
from ..notes import Notes
from .asking import Asker, Unreadable
from .explaining import reason
from .flooding import mislaid
from .images import crossing
from .lending import LENT, lent
from .levels import Told, description, fold, note, unexplained
from .origins import changes, origin, repointed, reread
from .scores import SURE, loud
from .seen import Reason, Seen, first_wrong, shifted
from .trials import Trial, ask, background


@dataclass(eq=False)
class Level:
    """The trials of one level; ``crowded``: how many predictions get lost where several stand in an image."""

    index: int
    trials: list[Trial] = field(default_factory=list)
    crowded: int = 0


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
        notes.add("scrambled_layout", "what is said of one cell is read from many", level=level.index)
        return Told("what is said of one cell is read from many", 0, 0)
    if not talking and _mixed_images(level, asker, notes):
        return Told("predictions come out in other images too", 0, 0)
    crowded = _crowded(level, asker, notes)
    lost = sum(int((~trial.came).sum()) for trial in level.trials)
    if lost and not crowded and not _moved_out(level):
        borrowed = _borrowed(level, asker, notes, rng)
        if borrowed is not None:
            return borrowed
        if _scattered(level, asker):
            notes.add("scrambled_layout", "what is said of one cell is read from many", level=level.index)
            return Told("what is said of one cell is read from many", 0, 0)
        notes.add("object_lost", "a sure prediction does not come out", level=level.index, trials=lost)
    seen = _seen(level, asker)
    if seen is None:
        return Told("nothing comes out", 0, 0)
    _classes(level, notes)
    right = seen.right
    if right.all():
        if level.crowded and not (crowded or lost):
            what = "a sure prediction is lost among ten in an image"
            notes.add("object_lost", what, level=level.index, trials=level.crowded)
        return Told("boxes come out as the layout says", len(right), 0)
    told = _boxes(level, seen, asker, rng)
    if told.unexplained and _renamed(level) and not upside_down([level]) and mislaid(asker, level.trials[-1]):
        notes.add("scrambled_layout", "what is said of one cell is read from many", level=level.index)
        return Told("what is said of one cell is read from many", 0, 0)
    return told


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
    seen = _seen(level, asker)
    if seen is None:
        return None
    right = Told("boxes come out as the layout says", len(seen.came), 0)
    told = right if seen.right.all() else _boxes(level, seen, asker, rng)
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
        seen = _seen(Level(level.index, trials), other)
        if seen is None:
            return told
        right = Told("boxes come out as the layout says", len(seen.came), 0)
        one = right if seen.right.all() else _boxes(Level(level.index, trials), seen, other, rng)
        if one.open:
            return told
        found[level.index] = one
    words = "the raw channels of the four sides are taken as (bins, 4), not as (4, bins)"
    notes.add("scrambled_layout", words)
    return {level: replace(one, words=f"{words}; then {one.words}") for level, one in found.items()}


def _talking(level: Level, asker: Asker) -> bool:
    """Whether something comes out as sure of an image that holds no prediction, where most cells are silent."""
    trial = next((trial for trial in level.trials if trial.elsewhere and not loud(trial)), None)
    return trial is not None and any(len(one.sure(0.5).boxes) for one in asker(trial.noise))


def _mixed_images(level: Level, asker: Asker, notes: Notes) -> bool:
    elsewhere = sum(trial.elsewhere for trial in level.trials if not loud(trial) and crossing(asker, trial))
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


def _seen(level: Level, asker: Asker) -> Seen | None:
    """The predictions of which something came, over all sizes."""
    layout, parts, came = asker.layout, [], []
    for trial in level.trials:
        given = trial.given.take(trial.came)
        if len(given.boxes):
            values = channels(layout, level.index, trial.size, given.boxes, given.cells)
            parts.append(at_cells(layout, level.index, trial.size, given.boxes, given.cells, values))
            came.append(trial.boxes[trial.came])
    if not parts:
        return None
    held = parts[0]
    for part in parts[1:]:
        held = held.joined(part)
    tolerance = 0.02 * held.stride + 1e-3 * np.abs(held.boxes).max(1)
    return Seen(held, np.concatenate(came), tolerance, declared(layout, level.index))


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


def _boxes(level: Level, seen: Seen, asker: Asker, rng: np.random.Generator) -> Told:
    """Why boxes come out wrong: taken from other cells or images, or read otherwise than they are written."""
    wrong = int((~seen.right).sum())
    found = _reason(seen)
    if found is None or found.codes == ("wrong_box",):
        found = _mixing(level, asker, rng) or found
    found = found or _by_size(seen)
    if found is None:
        found = Reason(("wrong_box",), f"{wrong} of {len(seen.came)} boxes come out wrong", 0.0)
    return Told(
        words=found.words if found.share else "nothing explains the boxes",
        shown=len(seen.came),
        open=round((1 - found.share) * wrong),
        reason=found,
        where=_where(seen),
        shift=shifted(seen),
        evidence={**first_wrong(seen), "wrong": wrong, "explained": round(found.share, 3), **found.evidence},
    )


def _reason(seen: Seen) -> Reason | None:
    """What explains the boxes that the image's edges have not cut, where any of these is wrong, or else all."""
    left = seen.uncut
    return reason(seen if left.right.all() else left)


def _where(seen: Seen) -> str:
    """At which images, where only some have wrong boxes."""
    square = seen.given.sizes[:, 0] == seen.given.sizes[:, 1]
    right = seen.right
    if square.any() and (~square).any() and right[square].all() and not right[~square].all():
        return ", on oblong images only: on square ones all is right"
    return ""


def _by_size(seen: Seen) -> Reason | None:
    """What explains the images of one size that come out wrong, where the others are right."""
    sizes = np.unique(seen.given.sizes, axis=0)
    parts = [seen.take((seen.given.sizes == size).all(1)) for size in sizes]
    wrong = [part for part in parts if not part.right.all()]
    return reason(wrong[0]) if len(wrong) == 1 and len(parts) > 1 else None


def _mixing(level: Level, asker: Asker, rng: np.random.Generator) -> Reason | None:
    """Where what comes out depends on cells or images that the prediction is not in."""
    wrong = [trial for trial in level.trials if _wrong(trial, asker)]
    trial = wrong[-1]
    found = origin(asker, trial) or repointed(asker, trial)
    if found is not None:
        return Reason(found[0], found[1], 1.0)
    given = trial.given.take(np.arange(len(trial.boxes)) % max(len(trial.boxes) // 8, 1) == 0)
    small = ask(asker, trial.size, trial.noise, given)
    other = background(asker.layout, trial.size, len(trial.noise[0]), rng)
    if changes(asker, small, other, same=True):
        listed = reread(asker, trial)
        if listed is not None:
            return Reason(listed[0], listed[1], 1.0)
        words = "the box that comes out changes with the boxes of other cells"
        return Reason(("scrambled_layout",), words, 1.0)
    if len(trial.noise[0]) > 1 and changes(asker, small, other, same=False):
        return Reason(("mixed_batch",), "the box that comes out changes with other images of the batch", 1.0)
    return None


def _wrong(trial: Trial, asker: Asker) -> bool:
    stride = asker.layout.strides[trial.given.level]
    tolerance = 0.02 * stride + 1e-3 * np.abs(trial.given.boxes).max(1)
    return bool((np.abs(trial.boxes - trial.given.boxes).max(1) > tolerance)[trial.came].any())
