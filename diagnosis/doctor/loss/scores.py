"""Where the class and objectness parts of a loss are smallest, and whether they see what is wrong."""

from collections.abc import Sequence

import numpy as np
import torch

from ..boxes.writing import unstored
from .asking import Asker
from .cost import Cost
from .parts import MOST, changed, groups, toward
from .said import Said
from .truth import Truth

STEPS = (0.03, 0.06, 0.1, 0.15, 0.3, 0.5, 0.7, 0.9)
SMOOTH = 0.15
"""A loss that is smallest so near to the truth smooths its labels."""
SURE = 0.97
"""Labels of which none is so likely are smoothed."""
BOUNDED = 2.2
"""The second half of the way from right to wrong costs so many times the first where a probability is squared or
logged; less where an activation comes upon an activation."""


def inverted(truth: Truth, asker: Asker) -> float:
    """The loss of predictions whose classes and objectness are all the wrong way round."""
    channels = [channel for part in groups(truth).values() for channel in part]
    return asker(toward(truth, channels, 1.0, "all"), truth.levels(), "scores the wrong way round")


def costs(truth: Truth, asker: Asker, least: float) -> Cost:
    """What is worth speaking of beside what probabilities cost that are half wrong."""
    targets, found = truth.levels(), []
    for name, channels in groups(truth).items():
        found.append(abs(asker(toward(truth, channels, 0.5, "all"), targets, f"{name} half wrong") - least))
    return Cost.beside(least, found)


def check(truth: Truth, asker: Asker, cost: Cost) -> list[Said]:
    """What is wrong with the parts of classes and objectness."""
    if truth.layout.class_values == "ids":
        return _ids(truth, asker, cost)
    found = [said for said in _order(truth, asker, cost) if said.code == "class_wrong"]
    for name, channels in groups(truth).items():
        if not (found and name == "classes"):
            found += _group(truth, asker, cost, name, channels)
    return found or _order(truth, asker, cost) or _falling(truth, asker, cost)


def _group(truth: Truth, asker: Asker, cost: Cost, name: str, channels: Sequence[int]) -> list[Said]:
    """Whether probabilities on the way from right to wrong cost less than right ones, together or one by one."""
    targets = truth.levels()

    def ask(step: float, where: str, picked: Sequence[int] = channels) -> float:
        return asker(toward(truth, picked, step, where), targets, f"{name} wrong in {where}")

    for where in ("objects", "empty cells"):
        values = [ask(step, where) for step in STEPS]
        lowest = int(np.argmin(values))
        if cost.less(values[lowest], 0.02) and (STEPS[lowest] > SMOOTH or softened(truth, asker, channels)):
            words = f"{name} that are wrong by {STEPS[lowest]:g} in {where} cost less than right ones"
            return [Said("not_minimal", words, name)]
    for channel in channels if 1 < len(channels) <= MOST else ():
        if cost.less(ask(0.5, "empty cells", (channel,)), 0.02):
            if cost.less(ask(0.5, "objects", (channel,)), 0.02):
                words = f"{name} that are half wrong in channel {channel} cost less than right ones"
                return [Said("not_minimal", words, name)]
            words = f"cells without an object cost less with channel {channel} of the {name} half set"
            return [Said("class_leak", words, name)]
    return _activated(ask, cost, name, truth)


def softened(truth: Truth, asker: Asker, channels: Sequence[int]) -> bool:
    """Whether raw predictions already mean smoothed labels: no probability, logit or logarithm that is nearly sure."""
    says = changed(truth, asker, toward(truth, channels, 1.0, "objects"))
    most = []
    raws = unstored(asker.raw(truth.levels()), truth.layout, truth.size)
    for level, (raw, mask, one) in enumerate(zip(raws, says, truth.objects, strict=True)):
        held = torch.from_numpy(truth.mask(level))
        picked = mask.transpose(0, 2).flatten(1).any(1).nonzero().flatten()
        values = raw[:, :, picked].movedim(2, -1)[held]
        if len(one.labels) and values.numel():
            ways = [values.sigmoid()]
            ways += [values] if bool(((values >= 0) & (values <= 1)).all()) else []
            ways += [values.exp()] if bool((values <= 1e-3).all()) else []
            most.append(torch.stack([way.amax(-1).min() for way in ways]).max())
    return bool(most) and float(torch.stack(most).min()) < SURE


def _activated(ask, cost: Cost, name: str, truth: Truth) -> list[Said]:
    """A floor under the loss, and a ceiling over it: probabilities that go through an activation again."""
    hard = truth.layout.class_values == "one_hot" if name == "classes" else truth.layout.objectness_values == "binary"
    middle, wrong = ask(0.5, "all"), ask(0.999, "all")
    first, second = middle - cost.least, wrong - middle
    if hard and cost.least > 0.4 * first > 0 and second < BOUNDED * first:
        costs = f"{cost.least:.3g} of {wrong:.3g}"
        words = f"right {name} cost nearly as much as wrong ones ({costs}), as after two activations"
        return [Said("not_minimal", words, name)]
    return []


def _falling(truth: Truth, asker: Asker, cost: Cost) -> list[Said]:
    """Probabilities that are altogether wrong and cost far less than those that are half wrong: they stay wrong."""
    for name, channels in groups(truth).items():
        for where in ("objects", "empty cells"):
            half, far = (
                asker(toward(truth, channels, step, where), truth.levels(), f"{name} wrong in {where}") - cost.least
                for step in (0.5, 0.99)
            )
            if half > cost.slack and far < 0.5 * half:
                words = f"{name} that are wrong altogether in {where} cost less than half wrong ones, and stay wrong"
                return [Said("no_gradient", words, name)]
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
    turned = asker(toward(truth, channels, 1.0, "all"), targets, "classes the wrong way round")
    if values[best] < min(cost.least - cost.slack, turned):
        return [Said("class_wrong", f"classes moved by {best:+d} cost less than right ones", "classes")]
    if values[best] <= cost.least + 1e-3 * cost.slack:
        words = "a prediction of another class costs no more than one of the right class"
        return [Said("no_gradient", words, "classes")]
    return []


def _ids(truth: Truth, asker: Asker, cost: Cost) -> list[Said]:
    """Whether other ids, or none, cost less than, or as much as, those of the targets in cells with an object."""
    count, channel = truth.layout.class_count, truth.layout.class_channels[0]
    targets, values = truth.levels(), {}
    shifts = {f"moved by {step:+d}": step for step in (1, -1)} if count > 1 else {}
    for words, step in {**shifts, "of no object": 0}.items():
        moved = truth.levels()
        for level, values_of in enumerate(moved):
            held, part = truth.mask(level), values_of[:, :, channel]
            part[held] = (part[held] + step) % count if step else truth.layout.background
        values[words] = asker(moved, targets, f"classes {words}")
    best = min(values, key=lambda words: values[words])
    if cost.less(values[best]):
        return [Said("class_wrong", f"classes {best} cost less than right ones", "classes")]
    if _undercut(truth, asker, cost):
        return [
            Said("not_minimal", "other numbers of classes cost less than right ones in cells of objects", "classes")
        ]
    if best in shifts and values[best] <= cost.least + 1e-3 * cost.slack:
        words = "a prediction of another class costs no more than one of the right class"
        return [Said("no_gradient", words, "classes")]
    return []


def _undercut(truth: Truth, asker: Asker, cost: Cost) -> bool:
    """Whether raw numbers of ids in cells with an object cost less the other way round, each as its gradient says."""
    count, channel = truth.layout.class_count, truth.layout.class_channels[0]
    others = []
    for step in range(1, min(count, MOST)):
        moved = truth.levels()
        for level, values in enumerate(moved):
            held, part = truth.mask(level), values[:, :, channel]
            part[held] = (part[held] + step) % count
        others.append(asker.raw(moved))
    right = asker.raw(truth.levels())
    grads = asker.pulls(right, asker.tensors(truth.levels()))
    if grads is None or not others:
        return False
    found = []
    for level, (here, grad) in enumerate(zip(right, grads, strict=True)):
        options = torch.stack([here, *(other[level] for other in others)])
        low, high = options.amin(0), options.amax(0)
        turned = torch.where(here > (low + high) / 2, low, high)
        found.append(torch.where(grad * (turned - here) < 0, turned, here))
    return cost.less(asker.of_raw(found, truth.levels(), "classes the other way round"), 0.02)
