"""Why boxes of a level come out wrong: taken from other cells or images, or read otherwise than they are written."""

from dataclasses import dataclass, field

import numpy as np

from ..boxes.terms import declared
from ..boxes.writing import at_cells, channels
from .asking import Asker
from .explaining import reason
from .levels import Told
from .origins import changes, origin, repointed, reread
from .predictions import background
from .seen import Reason, Seen, first_wrong, shifted
from .trials import Trial, ask


@dataclass(eq=False)
class Level:
    """The trials of one level; ``crowded``: how many predictions get lost where several stand in an image."""

    index: int
    trials: list[Trial] = field(default_factory=list)
    crowded: int = 0


def seen_of(level: Level, asker: Asker) -> Seen | None:
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


def told_of_boxes(level: Level, seen: Seen, asker: Asker, rng: np.random.Generator) -> Told:
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
