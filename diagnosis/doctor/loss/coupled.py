"""Whether what is predicted, or held, in one image of a batch decides what is pulled at in another."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..boxes.writing import stored, unstored
from .asking import Asker, Failed
from .astray import astray
from .parts import Part
from .said import Said
from .truth import Truth

UNLIKE = 0.05
"""Of the numbers of an image that are pulled at, the share that may be pulled at otherwise, beside another image."""
TURNED = 0.98
"""The cosine of an angle by which the gradient may turn beside other predictions."""
WRONG = 0.9
"""The share of the way from right to wrong that probabilities of the other image go at most."""


def coupled(truth: Truth, asker: Asker, known: Sequence[Part]) -> list[Said]:
    """Parts of an image that are pulled at elsewhere, or the other way, where the image beside it is another.

    The other has predictions that are wrong altogether, or no objects. A factor, as of a batch's number of objects, is
    no fault: signs are looked at, and, where predictions alone are others, which way the gradient points.
    """
    if truth.batch < 2:
        return []
    near, far = (astray(truth, asker, 2, **most) for most in ({}, {"most": WRONG}))
    told = len(asker.infinite)
    try:
        for image in range(2):
            fewer = replace(truth, objects=tuple(one.taken(one.images == image) for one in truth.objects))
            wrong = _beside(truth, near, far, image)
            grads = [asker.pulls(*pair) for pair in _questions(asker, truth, fewer, near, wrong)]
            names = dict.fromkeys(_unlike(truth, grads[0], grads[1], image, known, turned=TURNED))
            names |= dict.fromkeys(_unlike(truth, grads[0], grads[2], image, known))
            if names:
                words = "what is pulled at in an image depends on what the other images of the batch hold"
                return [Said("mixed_batch", words, name, numbers={"else by image": True}) for name in names]
    except Failed:  # told with the targets that a loss breaks on
        return []
    finally:
        del asker.infinite[told:]
    return []


def _questions(
    asker: Asker, truth: Truth, fewer: Truth, near: Sequence[Tensor], wrong: Sequence[Tensor]
) -> list[tuple[Sequence[Tensor], Sequence[Tensor]]]:
    """Predictions and targets: as they are, beside wrong predictions, beside no objects."""
    targets, none = asker.tensors(truth.levels()), asker.tensors(fewer.levels())
    return [(near, targets), (wrong, targets), (near, none)]


def _beside(truth: Truth, near: Sequence[Tensor], far: Sequence[Tensor], image: int) -> list[Tensor]:
    """One image of the first predictions, and all others of the second."""
    pairs = (unstored(part, truth.layout, truth.size) for part in (near, far))
    found = []
    for one, other in zip(*pairs, strict=True):
        level = other.clone()
        level[image] = one[image]
        found.append(level.numpy())
    return stored(found, truth.layout)


def _unlike(
    truth: Truth,
    before: list[Tensor] | None,
    after: list[Tensor] | None,
    image: int,
    known: Sequence[Part],
    *,
    turned: float = -1.0,
) -> list[str]:
    """Parts of an image whose gradient has another sign, or is gone, in too many of the numbers that have one.

    ``turned``: or whose directions have a cosine below this.
    """
    if before is None or after is None:
        return []
    found = []
    levels = [unstored(part, truth.layout, truth.size) for part in (before, after)]
    for part in known:
        one, other = (
            torch.cat([level[image][:, list(part.channels)].flatten() for level in some]).nan_to_num().double()
            for some in levels
        )
        asked, unlike = (one != 0) | (other != 0), one.sign() != other.sign()
        if not asked.any():
            continue
        if float(unlike[asked].float().mean()) > UNLIKE or float(torch.cosine_similarity(one, other, 0)) < turned:
            found.append(part.name)
    return found
