"""Whether a loss answers the same question twice alike; one that does not is asked so that it must."""

import torch

from .asking import Asker
from .astray import astray
from .said import Said
from .truth import Truth


def remembered(truth: Truth, asker: Asker) -> list[Said]:
    """What a loss keeps between calls.

    Afterwards each question is put with the same random numbers, or to a copy of the loss as it was in the beginning;
    where copies answer differently too, the asker is hopeless.
    """
    if _steady(truth, asker):
        return []
    asker.seeded = True
    if _steady(truth, asker):
        return []
    asker.seeded, asker.fresh = False, True
    asker.hopeless = not _steady(truth, asker)
    words = "the same predictions and targets cost something else at the next call"
    return [Said("state_leak", f"{words}; nothing else can be asked of it" if asker.hopeless else words)]


def _steady(truth: Truth, asker: Asker) -> bool:
    """Whether a question is answered alike twice; NaN is like NaN."""
    targets = asker.tensors(truth.levels())
    raw = astray(truth, asker, 0)
    one, other = (asker.value(raw, targets).detach() for _ in range(2))
    return bool(torch.isclose(one, other, rtol=1e-5, atol=1e-9, equal_nan=True))
