"""Whether cells without an object still cost something where few objects are, or none."""

from collections.abc import Sequence

import torch

from ..boxes.writing import unstored
from .asking import Asker, Failed
from .astray import astray
from .parts import Part
from .said import Said
from .truth import Truth

MOST = 0.5
"""Of the empty cells of an image, the share from which on they all are asked, not some that are picked."""
LONE = 2
"""Levels that are asked to hold the only objects of a batch, one after the other."""


def background(truth: Truth, asker: Asker, known: Sequence[Part]) -> list[Said]:
    """Objectness, or classes without one, that is pulled at in empty cells only where objects are beside them."""
    name = "objectness" if truth.layout.objectness is not None else "classes"
    channels = next((part.channels for part in known if part.name == name), ())
    none = [one.taken(one.images < 0) for one in truth.objects]
    lone = [truth.only(level) for level in range(min(LONE, len(truth.objects)))]
    cases = [Truth(truth.layout, truth.size, truth.batch, tuple(none)), *lone]
    told = len(asker.infinite)
    try:
        usual = _shares(truth, asker, channels)
        found = [_shares(one, asker, channels) for one in cases]
    except Failed:  # told with the targets that a loss breaks on
        return []
    finally:
        del asker.infinite[told:]
    for one, shares in zip(cases, found, strict=True):
        silent = (usual > MOST) & (shares == 0)
        if silent.any():
            where = "levels and images" if any(len(objects.labels) for objects in one.objects) else "batches"
            return [Said("no_gradient", f"an error of the {name} costs nothing in {where} without objects")]
    return []


def _shares(truth: Truth, asker: Asker, channels: Sequence[int]) -> torch.Tensor:
    """(levels, B): of the empty cells the share that is pulled at."""
    grads = asker.pulls(astray(truth, asker, 0), asker.tensors(truth.levels())) if channels else None
    if grads is None:
        return torch.zeros(len(truth.objects), truth.batch)
    found = []
    for level, grad in enumerate(unstored(grads, truth.layout, truth.size)):
        pulled, empty = grad[:, :, list(channels)].ne(0).any(2), ~torch.from_numpy(truth.mask(level))
        found.append((pulled & empty).flatten(1).sum(1) / empty.flatten(1).sum(1).clamp(min=1))
    return torch.stack(found)
