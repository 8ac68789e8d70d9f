"""Where the box part of a loss is smallest: at the truth, or at boxes that are written in another way."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, product

import numpy as np

from ..boxes.motion import boxes as meant_boxes
from ..boxes.terms import declared
from . import descents
from .asking import Asker
from .cost import Cost
from .rewritten import rewritten
from .said import Said
from .truth import Truth

NUDGES = (-0.6, -0.25, -0.08, 0.08, 0.25, 0.6)
NAMES = ("first", "second", "third", "fourth")


def costs(truth: Truth, asker: Asker, least: float) -> Cost:
    """What is worth speaking of beside what boxes cost that are well off."""
    targets, found = truth.levels(), []
    for channel, step in product(range(4), (-0.6, 0.6)):
        found.append(
            abs(asker(truth.nudged(channel, step), targets, f"boxes wrong in the {NAMES[channel]} channel") - least)
        )
    return Cost.beside(least, found)


def cancelled(truth: Truth, asker: Asker) -> list[Said]:
    """Box channels in which errors of opposite sign cost nothing together, of objects in one image."""
    targets, found = truth.levels(), []
    least = asker(targets, targets, "a perfect prediction")
    cost = costs(truth, asker, least)
    for channel, name in enumerate(NAMES):
        what = f"boxes wrong in the {name} channel"
        same = max(asker(truth.nudged(channel, step), targets, what) for step in (-0.6, 0.6)) - cost.least
        apart = [asker(truth.nudged(channel, step, apart=True), targets, what) for step in (-0.6, 0.6)]
        mixed = max(apart) - cost.least
        if same > cost.slack and mixed <= 0.02 * same:
            found.append(name)
    if not found:
        return []
    words = f"errors of opposite sign in the {' and '.join(found)} box channel cancel"
    return [Said("not_minimal", words, "boxes")]


def paired(truth: Truth, asker: Asker) -> list[Said]:
    """Errors of two box channels, each of which costs something, that cost nothing together."""
    targets = truth.levels()
    least = asker(targets, targets, "a perfect prediction")
    if not np.isfinite(least):
        return []
    cost = costs(truth, asker, least)
    alone = [
        min(asker(truth.nudged(channel, step), targets, f"boxes wrong in the {name} channel") for step in (-0.25, 0.25))
        - cost.least
        for channel, name in enumerate(NAMES)
    ]
    for (i, j), sign in product(combinations(range(4), 2), (1, -1)):
        if min(alone[i], alone[j]) <= cost.slack:
            continue
        value = asker(truth.jointly((i, j), (0.25, sign * 0.25)), targets, "boxes wrong in two channels")
        if abs(value - cost.least) <= 0.01 * min(alone[i], alone[j]):
            words = f"errors in the {NAMES[i]} and the {NAMES[j]} box channel cancel"
            return [Said("not_minimal", words, "boxes")]
    return descents.valleys(truth, asker, cost)


def misplaced(truth: Truth, asker: Asker, cost: Cost) -> list[Said]:
    """Whether boxes that are written otherwise than the targets cost less: in which way, and what it costs less.

    Numbers that are no boxes, as sides below 0, may cost anything: they count where they cost least of all around them.
    """
    targets = truth.levels()
    lower: list[tuple[float, str, str, list[np.ndarray]]] = []
    for code, words, values in rewritten(truth):
        value = asker(truth.with_boxes(values), targets, f"boxes {words}")
        if cost.less(value):
            lower.append((value, code, words, values))
    lower.sort(key=lambda option: option[0])
    for value, code, words, values in lower:
        least = lowest(truth, asker, values, value, cost)
        if least or _boxes(truth, values):
            said = f"predictions with boxes {words} cost less than those that equal the targets"
            pairs = zip(values, (truth.values(level) for level in range(len(values))), strict=True)
            smaller = all(np.abs(shown).sum() < np.abs(right).sum() for shown, right in pairs)
            return [Said(code if least else "not_minimal", said, "boxes", numbers={"smaller": smaller})]
    for channel, name in enumerate(NAMES):
        values = [asker(truth.nudged(channel, step), targets, f"{name} channel moved") for step in NUDGES]
        if cost.less(min(values), 0.05):
            step = NUDGES[int(np.argmin(values))]
            words = f"boxes with the {name} channel off by {step:+g} strides cost less than right ones"
            return [Said("not_minimal", words, "boxes")]
    return []


def _boxes(truth: Truth, values: Sequence[np.ndarray]) -> bool:
    """Whether channels (n, 4), a level, are those of boxes as declared: wider and higher than nothing."""
    found = []
    for level, (one, shown) in enumerate(zip(truth.objects, values, strict=True)):
        boxes = meant_boxes(replace(one.held, values=shown), declared(truth.layout, level))
        found.append((boxes[:, 2:] > boxes[:, :2]).all(1))
    return bool(np.concatenate(found).mean() > 0.95)


def lowest(truth: Truth, asker: Asker, values: list[np.ndarray], value: float, cost: Cost) -> bool:
    """Whether boxes that differ a little from these cost more: in one channel of all, or of a single object."""
    targets, steep = truth.levels(), 0
    fine = 1e-5 * abs(value) + 1e-4 * cost.slack
    for channel in range(4):
        for picked in (slice(None), slice(0, 1), slice(1, 2)):
            costs = []
            for share in (-0.2, 0.2):
                moved = [level.copy() for level in values]
                for level in moved:
                    level[picked, channel] += share * max(float(np.abs(level[:, channel]).mean()), 1e-3)
                costs.append(asker(truth.with_boxes(moved), targets, "boxes moved a little"))
            if min(costs) < value - fine:
                return False
            steep += picked == slice(None) and min(costs) > value + fine
    return steep >= 2
