"""Whether a loss answers the same question twice alike; one that does not is asked so that it must."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .asking import Asker, Failed
from .astray import astray
from .said import Said
from .truth import Truth, truth

AGAIN = 10
"""Calls at which the first question is put again."""


def remembered(given: Truth, asker: Asker) -> list[Said]:
    """What a loss keeps between calls.

    Afterwards each question is put with the same random numbers, or to a copy of the loss as it was in the beginning;
    where copies answer differently too, the asker is hopeless.
    """
    if _steady(given, asker):
        return _kept(given, asker)
    asker.seeded = True
    if _steady(given, asker):
        return []
    asker.seeded, asker.fresh = False, True
    asker.hopeless = not _steady(given, asker)
    words = "the same predictions and targets cost something else at the next call"
    return [Said("state_leak", f"{words}; nothing else can be asked of it" if asker.hopeless else words)]


def _kept(given: Truth, asker: Asker) -> list[Said]:
    """Whether a question is answered otherwise than by a copy that was asked nothing before.

    Questions of another size or batch that a copy does not answer at all are left out, and so are all where a copy is
    not what the loss is.
    """
    height, width = given.size
    if not _faithful(given, asker):
        return []
    for size, batch in ((given.size, given.batch), (given.size, 1), ((width, height), given.batch)):
        if any(side % stride for side in size for stride in given.layout.strides):
            continue
        other = truth(given.layout, size, batch, np.random.default_rng(1))
        targets, raw = asker.tensors(other.levels()), astray(other, asker, 0)
        asker.fresh = True
        first = answer(asker, raw, targets)
        asker.fresh = False
        if first is None:
            continue
        then = answer(asker, raw, targets)
        if then is None or not np.isclose(first, then, rtol=1e-5, atol=1e-9, equal_nan=True):
            asker.fresh = True
            return [Said("state_leak", "what was asked before changes what another question costs")]
    return []


def _faithful(given: Truth, asker: Asker) -> bool:
    """Whether a copy answers what was asked first as the loss does."""
    targets, raw = asker.tensors(given.levels()), astray(given, asker, 0)
    plain = answer(asker, raw, targets)
    asker.fresh = True
    other = answer(asker, raw, targets)
    asker.fresh = False
    if plain is None or other is None:
        return plain is other
    return bool(np.isclose(plain, other, rtol=1e-5, atol=1e-9, equal_nan=True))


def first_answer(given: Truth, asker: Asker) -> float | None:
    """What the first question of all costs; None where it raises."""
    return answer(asker, astray(given, asker, 0), asker.tensors(given.levels()))


def wavers(given: Truth, asker: Asker, first: float | None) -> bool:
    """Whether the first question is answered otherwise now, after all others, at one of some calls.

    Not asked where that is known, or where each question is put to a copy of its own or with the same random numbers.
    Afterwards a loss that has not settled is asked by copies, as it was in the beginning.
    """
    if first is None or asker.fresh or asker.seeded or asker.hopeless:
        return False
    asker.through = None
    answers = [first_answer(given, asker) for _ in range(AGAIN)]
    asker.fresh = len({None if one is None else round(one, 4) for one in answers}) > 1
    return any(one is None or not np.isclose(first, one, rtol=1e-5, atol=1e-9, equal_nan=True) for one in answers)


def answer(asker: Asker, raw: Sequence[Tensor], targets: Sequence[Tensor]) -> float | None:
    """The loss, None where it raises."""
    try:
        return float(asker.value(raw, targets).detach())
    except Failed:
        return None


def _steady(given: Truth, asker: Asker) -> bool:
    """Whether a question is answered alike twice; NaN is like NaN."""
    targets = asker.tensors(given.levels())
    raw = astray(given, asker, 0)
    one, other = (asker.value(raw, targets).detach() for _ in range(2))
    return bool(torch.isclose(one, other, rtol=1e-5, atol=1e-9, equal_nan=True))
