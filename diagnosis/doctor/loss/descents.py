"""Objects and cells that cost less where they are wrong, one by one: what the costs of all together may hide."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..boxes.terms import declared
from ..boxes.writing import unstored
from .asking import Asker, Levels
from .cost import RESOLUTION, Cost
from .parts import MOST, groups, toward
from .said import Said
from .truth import Truth

AWAY = (0.08, -0.08, 0.25, -0.25, 0.6, -0.6)
"""Strides by which objects are moved."""
FAR = (1.7, 2.6)
"""Strides by which sides are moved outwards, or centres anywhere."""
WITHIN = (*AWAY, FAR[0])
"""Strides on half of the way of which every object still overlaps itself."""
WRONG = (0.4, 0.9)
"""Shares of the way from right to wrong at which it is asked which way a probability is pulled."""
NEAR, STEP = 0.006, 0.03
"""Strides that boxes are off where it is asked how their cost is curved, and that they are moved then."""
CANCELLED = 2e-3
"""Of what an error costs alone, what is left of it where others make up for it."""
FLAT = 0.6
"""Of the objects that are off in one way, the share that may get no gradient."""
NAMES = ("first", "second", "third", "fourth")


def boxes(truth: Truth, asker: Asker, cost: Cost) -> list[Said]:
    """Objects that are pulled away from where they are, and cost less there."""
    targets, flat = truth.levels(), []
    for share in (*AWAY, *FAR):
        for channel, name in enumerate(NAMES):
            step = share if share in AWAY else share * _outward(truth, channel)
            slopes = _slopes(truth, asker, truth.nudged(channel, step / 2), truth.nudged(channel, step))
            if slopes is None:
                return []
            found = [at(slope, one.images, one.cells) for slope, one in zip(slopes, truth.objects, strict=True)]
            drawn = [part < 0 for part in found]
            flat += [(step, name)] if share in WITHIN and np.mean(np.concatenate(found) == 0) > FLAT else []
            if not any(part.any() for part in drawn):
                continue
            moved = truth.moved({channel: [np.where(part, step, 0.0) for part in drawn]})
            if cost.less(asker(moved, targets, f"boxes wrong in the {name} channel"), 0.05):
                words = f"{_counted(drawn)} cost less with the {name} box channel off by {step:+g} strides"
                return [Said("not_minimal", f"{words}, each by itself", "boxes", level=_only(drawn))]
    return _idle(flat)


def _outward(truth: Truth, channel: int) -> int:
    """The sign by which what a box channel holds moves without turning the box inside out."""
    return -1 if declared(truth.layout, 0)[channel].quantity in ("x1", "y1") else 1


def _idle(flat: Sequence[tuple[float, str]]) -> list[Said]:
    """Box channels that are pulled back from one side and not from the other, of steps in strides without a pull."""
    for name in NAMES:
        sides = {bool(step > 0) for step, other in flat if other == name}
        if len(sides) == 1:
            words = f"boxes with the {name} channel too {'large' if sides.pop() else 'small'} are not pulled back"
            return [Said("no_gradient", words, "boxes")]
    return []


def scores(truth: Truth, asker: Asker, cost: Cost) -> list[Said]:
    """Cells in which a probability is pulled towards what is wrong, and that cost less there."""
    for name, channels in groups(truth).items():
        singles = [(channel,) for channel in channels] if 1 < len(channels) <= MOST else []
        for picked in (tuple(channels), *singles):
            found = _cells(truth, asker, cost, name, picked)
            if found:
                return found
    return []


def _cells(truth: Truth, asker: Asker, cost: Cost, name: str, picked: Sequence[int]) -> list[Said]:
    targets, right = truth.levels(), truth.levels()
    for share in WRONG:
        slopes = _slopes(truth, asker, toward(truth, picked, share, "all"), toward(truth, picked, share + 0.05, "all"))
        if slopes is None:
            return []
        drawn = [slope < 0 for slope in slopes]
        if not any(part.any() for part in drawn):
            continue
        wrong = toward(truth, picked, share, "all")
        mixed = [np.where(part[:, :, None], bad, good) for part, bad, good in zip(drawn, wrong, right, strict=True)]
        if cost.less(asker(mixed, targets, f"{name} wrong in some cells"), 0.02):
            words = f"{name} that are wrong by {share:g} in some cells, each by itself, cost less than right ones"
            numbers = {"of classes": _classes(truth, drawn)}
            return [Said("not_minimal", words, name, level=_only(drawn), numbers=numbers)]
    return []


def _classes(truth: Truth, drawn: Sequence[np.ndarray]) -> list[int]:
    """The classes of the objects in whose cells something is drawn."""
    pairs = zip(truth.objects, drawn, strict=True)
    labels = [one.labels[np.asarray(at(part, one.images, one.cells), bool)] for one, part in pairs]
    return [int(label) for label in np.unique(np.concatenate(labels))]


def _slopes(truth: Truth, asker: Asker, here: Levels, there: Levels) -> list[np.ndarray] | None:
    """(B, A, H, W) a level: what each cell's cost gains on the way from here to there; None without a gradient."""
    raw, further = asker.raw(here), asker.raw(there)
    grads = asker.pulls(raw, asker.tensors(truth.levels()))
    if grads is None:
        return None
    return _along(truth, grads, raw, further)


def _along(truth: Truth, grads: Sequence[Tensor], here: Sequence[Tensor], there: Sequence[Tensor]) -> list[np.ndarray]:
    """(B, A, H, W) a level: gradients times the way from here to there."""
    ways = [grad * (b - a) for grad, a, b in zip(grads, here, there, strict=True)]
    return [level.sum(2).numpy() for level in unstored(ways, truth.layout, truth.size)]


def at(level: np.ndarray | Tensor, images: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """What (B, A, H, W) holds in the cells (n, 3) anchor, row, column of these images."""
    a, r, c = cells.T
    return np.asarray(level)[images, a, r, c]


def _counted(drawn: Sequence[np.ndarray]) -> str:
    count, total = sum(int(part.sum()) for part in drawn), sum(part.size for part in drawn)
    return f"{count} of {total} objects"


def _only(drawn: Sequence[np.ndarray]) -> int | None:
    """The one level of several that is meant, None where more are."""
    held = [level for level, part in enumerate(drawn) if part.any()]
    return held[0] if len(held) == 1 < len(drawn) else None


def valleys(truth: Truth, asker: Asker, cost: Cost) -> list[Said]:
    """Errors of several box channels that cancel in a proportion of their own, each of which costs something alone."""
    targets, curves = truth.levels(), _curves(truth, asker)
    if curves is None:
        return []
    lines = [_flattest(level) for level in curves]
    ways = {channel: [STEP * line[:, channel] for line in lines] for channel in range(4)}
    both = asker(truth.moved(ways), targets, "boxes wrong in several channels") - cost.least
    alone = [asker(truth.moved({c: way}), targets, f"boxes a little off in channel {c}") for c, way in ways.items()]
    alone = [value - cost.least for value in alone]
    rounding = RESOLUTION * abs(cost.least)
    worth = max(50 * rounding, 1e-3 * cost.slack)
    if sum(value > worth for value in alone) > 1 and abs(both) <= max(CANCELLED * max(alone), rounding):
        names = " and ".join(name for name, value in zip(NAMES, alone, strict=True) if value > worth)
        return [Said("not_minimal", f"errors in the {names} box channel cancel", "boxes")]
    return []


def _curves(truth: Truth, asker: Asker) -> list[np.ndarray] | None:
    """(n, 4, 4) a level: how the cost of objects that are off in one channel grows in another."""
    rows, targets = [], asker.tensors(truth.levels())
    for first in range(4):
        here = asker.raw(truth.jointly((first,), (NEAR,)))
        grads = asker.pulls(here, targets)
        if grads is None:
            return None
        columns = []
        for second in range(4):
            steps = {first: NEAR, second: STEP} if second != first else {first: NEAR + STEP}
            there = asker.raw(truth.jointly(tuple(steps), tuple(steps.values())))
            slopes = _along(truth, grads, here, there)
            columns.append([at(slope, one.images, one.cells) for slope, one in zip(slopes, truth.objects, strict=True)])
        rows.append([np.stack(level, 1) for level in zip(*columns, strict=True)])
    return [np.nan_to_num(np.stack(level, 1), posinf=0.0, neginf=0.0) for level in zip(*rows, strict=True)]


def _flattest(curves: np.ndarray) -> np.ndarray:
    """(n, 4): of each object the way, at most 1 in a channel, on which its cost grows least, by curves (n, 4, 4)."""
    lines = np.linalg.svd(curves)[2][:, -1]
    return lines / np.abs(lines).max(1, keepdims=True)
