"""Where a loss pulls at objectness and classes: in cells that hold an object, and in others."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .asking import Asker
from .parts import MOST, Part, changed, groups, toward
from .said import Said
from .truth import Truth


def ever_pulled(draws: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    """(B, A, C, H, W) bool a level: what is pulled at in any draw."""
    return [torch.stack([draw[level] for draw in draws]).ne(0).any(0) for level in range(len(draws[0]))]


def score_pulls(truth: Truth, asker: Asker, draws: Sequence[Sequence[Tensor]], part: Part) -> list[Said]:
    """Objectness or classes that get no gradient, in cells with an object or in others."""
    everywhere = ever_pulled(draws)
    alive = [level[:, :, list(part.channels)] for level in everywhere]
    masks = [torch.from_numpy(truth.mask(level)) for level in range(len(alive))]
    pairs = list(zip(alive, masks, strict=True))
    dull = [
        where
        for where, wanted in (("objects", True), ("empty cells", False))
        if not any(level.any(2)[mask == wanted].any() for level, mask in pairs)
    ]
    if len(dull) == 2:
        return [Said("no_gradient", f"an error of the {part.name} costs nothing", part.name)]
    if dull and (dull[0] == "objects" or part.name == "objectness" or truth.layout.objectness is None):
        return [Said("no_gradient", f"an error of the {part.name} costs nothing in {dull[0]}", part.name)]
    found = []
    for level, (pulled, mask) in enumerate(pairs):
        if not pulled.any(2)[mask].all():
            words = f"{part.name} of cells that hold an object get no gradient"
            found.append(Said("no_gradient", words, part.name, level=level))
    if part.name == "objectness" or truth.layout.objectness is None:
        found += _background(pairs, part)
    return found or _single(truth, asker, everywhere, part) or _own(truth, alive, part)


def _background(pairs: Sequence[tuple[Tensor, Tensor]], part: Part) -> list[Said]:
    """Levels whose empty cells are not pulled at, where most of others are."""
    shares = [float(pulled.any(2)[~mask].float().mean()) for pulled, mask in pairs]
    silent = [level for level, share in enumerate(shares) if share == 0] if max(shares) > 0.5 else []
    words = f"an error of the {part.name} costs nothing in empty cells"
    return [Said("no_gradient", words, part.name, level=level) for level in silent]


def _own(truth: Truth, alive: Sequence[Tensor], part: Part) -> list[Said]:
    """Classes of objects, each in a raw channel of its own, that are not pulled at in their cells, or the others."""
    if part.name != "classes" or len(part.channels) != len(groups(truth)["classes"]) or len(part.channels) < 2:
        return []
    own, rest = [], []
    for level, one in enumerate(truth.objects):
        a, r, c = one.cells.T
        pulled = alive[level][one.images, a, :, r, c].numpy()
        mine = np.arange(pulled.shape[1]) == one.labels[:, None]
        own.append(pulled[mine])
        rest.append(pulled[~mine])
    for name, parts in (("an object's own class", own), ("classes that an object is not of", rest)):
        if not np.concatenate(parts).any():
            return [Said("no_gradient", f"{name} gets no gradient in its cell", "classes")]
    return []


def _single(truth: Truth, asker: Asker, alive: Sequence[Tensor], part: Part) -> list[Said]:
    """Single class channels of which an error costs nothing."""
    channels = groups(truth)[part.name]
    if not 1 < len(channels) <= MOST:
        return []
    dull = []
    for channel in channels:
        says = changed(truth, asker, toward(truth, (channel,), 1.0, "all"))
        if not any((mask & level).any() for mask, level in zip(says, alive, strict=True)):
            dull.append(channel)
    words = f"an error of the {part.name} in channel {dull} costs nothing"
    return [Said("no_gradient", words, part.name)] if dull else []
