"""Where the class and objectness parts of a loss are smallest, and whether they see what is wrong."""

from collections.abc import Sequence

import numpy as np
import torch

from .asking import Asker
from .boxes import Cost, Said
from .truth import Truth

STEPS = (0.03, 0.06, 0.1, 0.15, 0.3, 0.5, 0.7, 0.9)
SMOOTH = 0.15
"""A loss that is smallest so near to the truth smooths its labels."""
BOUNDED = 2.2
"""The second half of the way from right to wrong costs so many times the first where a probability is squared or
logged; less where an activation comes upon an activation."""


def groups(truth: Truth) -> dict[str, tuple[int, ...]]:
    """Channels of probabilities by name."""
    layout = truth.layout
    found: dict[str, tuple[int, ...]] = {}
    if layout.objectness is not None:
        found["objectness"] = (layout.objectness,)
    if layout.class_values != "ids":
        found["classes"] = tuple(layout.class_channels)
    return found


def toward(truth: Truth, channels: Sequence[int], step: float, where: str) -> list[np.ndarray]:
    """Levels with probabilities ``step`` of the way from right to wrong, in cells with objects, empty ones, or all."""
    found = truth.levels()
    for level, values in enumerate(found):
        held = truth.mask(level)
        cells = {"objects": held, "empty cells": ~held, "all": np.ones_like(held)}[where]
        for channel in channels:
            part = values[:, :, channel]
            wrong = np.where(part > 0.5, 0.0, 1.0)
            part[cells] = (part + step * (wrong - part))[cells]
    return found


def inverted(truth: Truth, asker: Asker) -> float:
    """The loss of predictions whose classes and objectness are all the wrong way round."""
    channels = [channel for part in groups(truth).values() for channel in part]
    return asker(toward(truth, channels, 1.0, "all"), truth.levels(), "scores the wrong way round")


def check(truth: Truth, asker: Asker, cost: Cost) -> list[Said]:
    """What is wrong with the parts of classes and objectness."""
    found = [said for said in _order(truth, asker, cost) if said[0] == "class_wrong"]
    for name, channels in groups(truth).items():
        if not (found and name == "classes"):
            found += _group(truth, asker, cost, name, channels)
    return found or _order(truth, asker, cost)


def _group(truth: Truth, asker: Asker, cost: Cost, name: str, channels: Sequence[int]) -> list[Said]:
    targets = truth.levels()
    right, wrong = (asker.raw(levels) for levels in (targets, toward(truth, channels, 1.0, "all")))
    if all(torch.equal(one, other) for one, other in zip(right, wrong, strict=True)):
        return []  # the network puts out no such channel

    def ask(step: float, where: str) -> float:
        return asker(toward(truth, channels, step, where), targets, f"{name} wrong in {where}")

    dull = [where for where in ("objects", "empty cells") if abs(ask(0.5, where) - cost.least) <= 1e-3 * cost.slack]
    if len(dull) == 2:
        return [("no_gradient", f"an error of the {name} costs nothing")]
    needed = dull and (dull[0] == "objects" or name == "objectness" or truth.layout.objectness is None)
    if needed:
        return [("no_gradient", f"an error of the {name} costs nothing in {dull[0]}")]
    single = _blind(truth, asker, cost, name, channels)
    for where in ("objects", "empty cells"):
        if where in dull:
            continue
        values = [ask(step, where) for step in STEPS]
        lowest = int(np.argmin(values))
        if values[lowest] < cost.least - 0.02 * cost.slack and STEPS[lowest] > SMOOTH:
            return [("not_minimal", f"{name} that are wrong by {STEPS[lowest]:g} in {where} cost less than right ones")]
    return single or _activated(ask, cost, name, truth)


def _blind(truth: Truth, asker: Asker, cost: Cost, name: str, channels: Sequence[int]) -> list[Said]:
    """Single class channels of which an error costs nothing."""
    if len(channels) < 2 or len(channels) > 24:
        return []
    targets = truth.levels()
    dull = []
    for channel in channels:
        levels = toward(truth, (channel,), 0.5, "all")
        if abs(asker(levels, targets, f"one of the {name} wrong") - cost.least) <= 1e-3 * cost.slack:
            dull.append(channel)
    return [("no_gradient", f"an error of the {name} in channel {dull} costs nothing")] if dull else []


def _activated(ask, cost: Cost, name: str, truth: Truth) -> list[Said]:
    """A floor under the loss, and a ceiling over it: probabilities that go through an activation again."""
    hard = truth.layout.class_values == "one_hot" if name == "classes" else truth.layout.objectness_values == "binary"
    middle, wrong = ask(0.5, "all"), ask(0.999, "all")
    first, second = middle - cost.least, wrong - middle
    if hard and cost.least > 0.4 * first > 0 and second < BOUNDED * first:
        costs = f"{cost.least:.3g} of {wrong:.3g}"
        words = f"right {name} cost nearly as much as wrong ones ({costs}), as after two activations"
        return [("not_minimal", words)]
    return []


def _order(truth: Truth, asker: Asker, cost: Cost) -> list[Said]:
    """Whether classes in another order cost less than, or as much as, those that equal the targets."""
    if truth.layout.class_count < 2 or truth.layout.class_values == "ids":
        return []
    channels, targets = list(truth.layout.class_channels), truth.levels()
    values = {}
    for shift in sorted({1, -1 % len(channels)}):
        moved = truth.levels()
        for level in moved:
            level[:, :, channels] = np.roll(level[:, :, channels], shift, 2)
        values[shift] = asker(moved, targets, "classes moved by one")
    best = min(values, key=lambda shift: values[shift])
    if values[best] < min(cost.least - cost.slack, inverted(truth, asker)):
        return [("class_wrong", f"classes moved by {best:+d} cost less than right ones")]
    if values[best] <= cost.least + 1e-3 * cost.slack:
        return [("no_gradient", "a prediction of another class costs no more than one of the right class")]
    return []
