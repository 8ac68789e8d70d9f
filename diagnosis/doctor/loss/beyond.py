"""Whether scores that are given as they are, without an activation, are pulled back from beyond 0 and 1."""

import torch
from torch import Tensor

from .asking import Asker, Failed
from .parts import groups, toward
from .said import Said
from .truth import Truth

BEYOND = 1.5
"""The way from right to wrong, and as much again of half of it."""
SHARP = 4.2
"""What is altogether wrong costs no more than so many times what is half wrong where no logarithm is taken."""


def beyond(truth: Truth, asker: Asker) -> list[Said]:
    """Objectness or classes that get no gradient where raw numbers lie outside [0, 1], by a loss without logarithms.

    A logarithm needs probabilities, which an activation has made; squares and absolute errors are asked of any number.
    """
    targets = truth.levels()
    right = asker.raw(targets)
    least = asker.of_raw(right, targets, "a perfect prediction")
    for name, channels in groups(truth).items():
        for where in ("objects", "empty cells"):
            half, wrong = (asker.raw(toward(truth, channels, step, where)) for step in (0.5, 1.0))
            costs = [asker.of_raw(raw, targets, f"{name} wrong in {where}") - least for raw in (half, wrong)]
            if not _linear(right, half, wrong) or not 0 < costs[0] < costs[1] < SHARP * costs[0]:
                continue
            far = [a + BEYOND * (b - a) for a, b in zip(right, wrong, strict=True)]
            if _pulled(truth, asker, right, half, half) > 0 == _pulled(truth, asker, right, half, far):
                return [Said("no_gradient", f"{name} beyond 0 or 1 are not pulled back in {where}", name)]
    return []


def _linear(right: list[Tensor], half: list[Tensor], wrong: list[Tensor]) -> bool:
    """Whether raw numbers are the probabilities themselves."""
    pairs = zip(right, half, wrong, strict=True)
    return all(torch.allclose((a + c) / 2, b, atol=1e-4) and float((c - a).abs().max()) < 1.001 for a, b, c in pairs)


def _pulled(truth: Truth, asker: Asker, right: list[Tensor], half: list[Tensor], at: list[Tensor]) -> float:
    """The gradient, summed, of predictions in the numbers that are half wrong; NaN where there is none."""
    told = len(asker.infinite)
    try:
        grads = asker.pulls(at, asker.tensors(truth.levels()))
    except Failed:
        return float("nan")
    finally:
        del asker.infinite[told:]
    if grads is None:
        return float("nan")
    triples = zip(grads, right, half, strict=True)
    return float(sum(grad[a != b].abs().sum() for grad, a, b in triples))
