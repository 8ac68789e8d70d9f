"""Objects and cells that cost less where they are wrong, one by one: what the costs of all of them together may hide."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from ..boxes.writing import unstored
from .asking import Asker, Levels
from .cost import Cost
from .parts import MOST, groups, toward
from .said import Said
from .truth import Truth

AWAY = (0.08, -0.08, 0.25, -0.25, 0.6, -0.6)
"""Strides by which objects are moved."""
WRONG = (0.4, 0.9)
"""Shares of the way from right to wrong at which it is asked which way a probability is pulled."""
FLAT = 0.6
"""Of the objects that are off in one way, the share that may get no gradient."""
NAMES = ("first", "second", "third", "fourth")


def boxes(truth: Truth, asker: Asker, cost: Cost) -> list[Said]:
    """Objects that are pulled away from where they are, and cost less there."""
    targets, flat = truth.levels(), []
    for step in AWAY:
        for channel, name in enumerate(NAMES):
            slopes = _slopes(truth, asker, truth.nudged(channel, step / 2), truth.nudged(channel, step))
            if slopes is None:
                return []
            found = [at(slope, one.images, one.cells) for slope, one in zip(slopes, truth.objects, strict=True)]
            drawn = [part < 0 for part in found]
            flat += [(step, name)] if np.mean(np.concatenate(found) == 0) > FLAT else []
            if not any(part.any() for part in drawn):
                continue
            moved = truth.moved({channel: [np.where(part, step, 0.0) for part in drawn]})
            if cost.less(asker(moved, targets, f"boxes wrong in the {name} channel"), 0.05):
                words = f"{_counted(drawn)} cost less with the {name} box channel off by {step:+g} strides"
                return [Said("not_minimal", f"{words}, each by itself", "boxes", level=_only(drawn))]
    return [_idle(flat)] if flat else []


def _idle(flat: Sequence[tuple[float, str]]) -> Said:
    """What is said of steps, in strides, of a box channel on which nothing is pulled at."""
    step, name = flat[0]
    words = f"boxes with the {name} channel off by {step / 2:+g} strides are not pulled back"
    return Said("no_gradient", words, "boxes")


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
            return [Said("not_minimal", words, name, level=_only(drawn))]
    return []


def _slopes(truth: Truth, asker: Asker, here: Levels, there: Levels) -> list[np.ndarray] | None:
    """(B, A, H, W) a level: what each cell's cost gains on the way from here to there; None without a gradient."""
    raw, further = asker.raw(here), asker.raw(there)
    grads = asker.pulls(raw, asker.tensors(truth.levels()))
    if grads is None:
        return None
    ways = [grad * (b - a) for grad, a, b in zip(grads, raw, further, strict=True)]
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
    """Pairs of box channels whose errors, each of which costs something, cancel in a proportion of their own."""
    targets, step = truth.levels(), 0.1
    least = cost.least
    for i in range(4):
        for j in range(i + 1, 4):
            shares = _level_line(truth, asker, (i, j), step)
            if shares is None:
                return []
            ways = [[part[:, k] * step for part in shares] for k in (0, 1)]
            what = "boxes wrong in two channels"
            both = asker(truth.moved({i: ways[0], j: ways[1]}), targets, what) - least
            alone = [asker(truth.moved({k: way}), targets, what) - least for k, way in zip((i, j), ways, strict=True)]
            if min(alone) > 0.1 * cost.slack and abs(both) <= 0.01 * min(alone):
                words = f"errors in the {NAMES[i]} and the {NAMES[j]} box channel cancel"
                return [Said("not_minimal", words, "boxes")]
    return []


def _level_line(truth: Truth, asker: Asker, pair: tuple[int, int], step: float) -> list[np.ndarray] | None:
    """(n, 2) a level: the way in two channels that costs nothing more, of each object that is off in the first."""
    here = truth.jointly(pair, (step, 0.0))
    found = []
    for further in ((2 * step, 0.0), (step, step)):
        slopes = _slopes(truth, asker, here, truth.jointly(pair, further))
        if slopes is None:
            return None
        found.append([at(slope, one.images, one.cells) for slope, one in zip(slopes, truth.objects, strict=True)])
    lines = []
    for first, second in zip(*found, strict=True):
        line = np.nan_to_num(np.stack((second, -first), 1), posinf=0.0, neginf=0.0)
        lines.append(line / np.maximum(np.abs(line).max(1, keepdims=True), 1e-12))
    return lines
