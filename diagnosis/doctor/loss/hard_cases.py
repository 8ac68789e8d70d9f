"""Targets on which losses break: none, objects in one place alone, boxes without an area."""

import numpy as np
import torch

from .asking import Asker, Failed, gradient
from .said import Said
from .truth import Truth


def hard_cases(given: Truth, asker: Asker, generator: torch.Generator) -> list[Said]:
    """Targets that are empty, wholly or but for one image of one level, and boxes without an area."""
    cases = {
        "empty targets": given.empty(),
        "objects on one level of one image": given.only(0).levels(),
        "boxes without an area": given.flat().levels(),
    }
    found = []
    for name, targets in cases.items():
        try:
            words = _finite(targets, asker, generator)
            flat = name == "boxes without an area" and words and not _explodes(given, asker)
        except Failed as error:
            found.append(Said(error.code, f"{name}: {error}"))
            continue
        if words:
            found.append(Said("non_finite", f"{name}: {words}", mild=bool(flat)))
    return found


def _explodes(given: Truth, asker: Asker) -> bool:
    """Whether an error at boxes of a thousandth of a px costs a hundred times what it costs at others."""
    costs = []
    for one in (given, given.flat(1e-3)):
        targets = asker.tensors(one.levels())
        right, moved = (float(asker.value(asker.raw(m), targets).detach()) for m in (one.levels(), one.nudged(2, 0.1)))
        costs.append(abs(moved - right))
    return not np.isfinite(costs).all() or costs[1] > 100 * costs[0]


def _finite(targets: list[np.ndarray], asker: Asker, generator: torch.Generator) -> str:
    """What is not finite of right predictions, and of ones that are nearly right; empty where all is."""
    targets = [np.nan_to_num(level, neginf=-20.0) for level in targets]
    for size in (0.0, 0.3):
        base = asker.raw(targets)
        raw = [level + size * torch.randn(level.shape, generator=generator) for level in base]
        raw = [level.requires_grad_() for level in raw]
        value = asker.value(raw, asker.tensors(targets))
        grads = gradient(value, raw) if value.requires_grad else []
        if not torch.isfinite(value):
            return "the loss is not finite"
        if not all(torch.isfinite(grad).all() for grad in grads if grad is not None):
            return "the gradient is not finite"
    return ""
