"""Whether all places and images cost alike."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ..boxes.writing import stored, unstored
from ..layout import TargetLayout
from .asking import Asker, Failed
from .astray import astray
from .coupled import coupled
from .parts import Part
from .said import Said
from .truth import Truth

UNLIKE = 0.05
"""Of the numbers of an image, the share that may be pulled at the other way when it stands in a batch."""


def order(
    truth: Truth, asker: Asker, known: Sequence[Part], generator: torch.Generator, *, loose: bool = False
) -> list[Said]:
    """Where one order of the cells, or of the images, of prediction and target together is not as good as another.

    The gradient must move with the cells, part by part; without one the loss itself must stay. ``loose``: in cells that
    hold an object alone, and up to a factor, for a loss that takes neighbours for objects and counts them.
    """
    targets, raw = asker.tensors(truth.levels()), astray(truth, asker, 1)
    before, value = asker.pulls(raw, targets), asker.of_raw(raw, truth.levels(), "a prediction that is not quite right")
    if not np.isfinite(value):
        return []
    masks = [torch.from_numpy(truth.mask(level)) for level in range(len(truth.objects))]
    found: dict[str, Said] = {}
    for what, at in _orders(truth, generator).items():
        moved = _moved(truth, raw, at, what)
        wanted = _moved(truth, targets, at, what)
        words = f"{what} change places in predictions and targets alike"
        after = None if before is None else asker.pulls(moved, wanted)
        if before is not None and after is not None:
            one, other = (
                unstored(grads, truth.layout, truth.size) for grads in (_moved(truth, before, at, what), after)
            )
            for part in known:
                some = loose or part.name in ("boxes", "quality")
                held = [mask.unsqueeze(2) for mask in _ordered(masks, at, what)] if some else None
                if not _alike(one, other, part, held, loose=loose) and part.name not in found:
                    said = f"{part.name} are pulled at otherwise when {words}"
                    found[part.name] = Said("not_permutation_invariant", said, part.name, whole=not loose)
        cost = float(asker.value(moved, wanted).detach())
        if not loose and not found and np.isfinite(cost) and not np.isclose(cost, value, rtol=1e-3, atol=1e-6):
            numbers = {"before": value, "after": cost}
            found[""] = Said("not_permutation_invariant", f"the loss changes when {words}", whole=True, numbers=numbers)
    return list(found.values())


def nearby(truth: Truth, asker: Asker, boxes: Sequence[int] | None) -> bool:
    """Whether boxes are pulled at in all cells that hold an object and in neighbours of these, and in no others."""
    grads = None if boxes is None else asker.pulls(astray(truth, asker, 1), asker.tensors(truth.levels()))
    if grads is None:
        return False
    leaked = False
    for level, grad in enumerate(unstored(grads, truth.layout, truth.size)):
        held = torch.from_numpy(truth.mask(level))
        pulled = grad[:, :, list(boxes or ())].ne(0).any(2)
        around = max_pool2d(held.float(), 3, 1, 1) > 0
        if (held & ~pulled).any() or (pulled & ~around).any():
            return False
        leaked = leaked or bool((pulled & ~held).any())
    return leaked


def _alike(
    one: Sequence[Tensor], other: Sequence[Tensor], part: Part, held: Sequence[Tensor] | None, *, loose: bool
) -> bool:
    """Whether two gradients (B, A, C, H, W), a level each, are the same in a part, within a thousandth.

    ``held`` (B, A, 1, H, W) bool: the cells that count; None: all. Boxes without an area may be pulled at anyhow.
    ``loose``: up to a factor in each level.
    """
    for level, (first, second) in enumerate(zip(one, other, strict=True)):
        a, b = (torch.nan_to_num(grad[:, :, list(part.channels)]) for grad in (first, second))
        a, b = (a, b) if held is None else (a * held[level], b * held[level])
        if loose:
            a, b = (grad / grad.norm().clamp(min=1e-12) for grad in (a, b))
        if ((a - b).abs() > 1e-3 * a.abs().max() + 1e-12).any():
            return False
    return True


def _orders(truth: Truth, generator: torch.Generator) -> dict[str, list[Tensor]]:
    """Orders of the cells of each level, by what changes places."""
    counts = [truth.mask(level)[0, 0].size for level in range(len(truth.objects))]
    found = {
        "cells": [torch.randperm(count, generator=generator) for count in counts],
        "the first and the last cells": [torch.arange(count).flip(0) for count in counts],
        "cells in the middle and at the ends": [torch.arange(count).roll(count // 2) for count in counts],
    }
    if truth.batch > 1:
        found["images"] = [torch.arange(count) for count in counts]
    return found


def _moved(truth: Truth, tensors: Sequence[Tensor], at: Sequence[Tensor], what: str) -> list[Tensor]:
    """Tensors with their cells, or their images, in another order."""
    levels = unstored(tensors, truth.layout, truth.size)
    return _stored(_ordered(levels, at, what), truth.layout)


def _ordered(levels: Sequence[Tensor], at: Sequence[Tensor], what: str) -> list[Tensor]:
    """(B, …, H, W) a level, with cells or images in another order."""
    moved = [level.flatten(-2)[..., order].reshape(level.shape) for level, order in zip(levels, at, strict=True)]
    return [level.flip(0) for level in moved] if what == "images" else moved


def _stored(levels: Sequence[Tensor], layout: TargetLayout) -> list[Tensor]:
    return stored([level.numpy() for level in levels], layout)


def mixed(truth: Truth, asker: Asker, known: Sequence[Part]) -> list[Said]:
    """Whether an image of a batch is pulled at otherwise than by itself, in the cells that hold an object."""
    if truth.batch == 1:
        return []
    targets, raw = asker.tensors(truth.levels()), astray(truth, asker, 2)
    together = asker.pulls(raw, targets)
    silent = together is not None and _silent(truth, together)
    for image in range(2) if together is not None else ():
        try:
            alone = asker.pulls(_image(truth, raw, image), _image(truth, targets, image))
        except Failed as error:
            return [Said(error.code, f"a batch of 1: {error}, a batch of {truth.batch} does not")]
        if alone is None or together is None:
            continue
        shares = _unlike(truth, together, alone, image, known)
        if image and silent and max(shares.values()) > UNLIKE:
            return [Said("no_gradient", "only the first image of a batch is pulled at")]
        unlike = [name for name, share in shares.items() if share > UNLIKE]
        if unlike:
            words = "an image of a batch is pulled at otherwise than by itself"
            inside = _inside(truth, asker, raw, targets, known)
            shared = [_shared(truth, together, part) for part in known]
            rest = _unlike(truth, together, alone, image, shared)
            found = []
            for name in unlike:
                if rest[name] > UNLIKE:
                    found.append(Said("mixed_batch", words, name, whole=name in inside))
                else:
                    lone = f"{name} of one image of a batch alone are pulled at"
                    found.append(Said("no_gradient", lone, name, numbers={"else by image": True}))
            return found
    return coupled(truth, asker, known) if together is not None else []


def _inside(
    truth: Truth, asker: Asker, raw: Sequence[Tensor], targets: Sequence[Tensor], known: Sequence[Part]
) -> list[str]:
    """Parts of an image that are pulled at otherwise where other objects of the same image are not there."""
    found: set[str] = set()
    for odd in range(2):
        some = [(one.images == 0) & (np.arange(len(one.labels)) % 2 == odd) for one in truth.objects]
        half = replace(truth, objects=tuple(one.taken(kept) for one, kept in zip(truth.objects, some, strict=True)))
        found |= _otherwise(truth, half, asker, raw, targets, known)
    return sorted(found)


def _otherwise(
    truth: Truth, half: Truth, asker: Asker, raw: Sequence[Tensor], targets: Sequence[Tensor], known: Sequence[Part]
) -> set[str]:
    """Parts of the first image's objects that are pulled at otherwise where the half of them stands alone."""
    bare = [_image(truth, part, 0) for part in (asker.raw(truth.empty()), asker.tensors(truth.empty()))]
    kept = [torch.from_numpy(half.mask(level)[:1, :, None]) for level in range(len(half.objects))]
    gone = [torch.from_numpy(truth.mask(level)[:1, :, None]) & ~mask for level, mask in enumerate(kept)]
    full = [_image(truth, part, 0) for part in (raw, targets)]
    fewer = [_without(truth, part, none, gone) for part, none in zip(full, bare, strict=True)]
    try:
        grads = [asker.pulls(*pair) for pair in (full, fewer)]
    except Failed:
        return set()
    if grads[0] is None or grads[1] is None:
        return set()
    shares = _unlike(replace(half, batch=1), grads[0], grads[1], 0, known)
    return {name for name, share in shares.items() if share > UNLIKE}


def _without(truth: Truth, full: Sequence[Tensor], none: Sequence[Tensor], gone: Sequence[Tensor]) -> list[Tensor]:
    """Tensors of one image with those of none in the cells that are gone."""
    pairs = (unstored(part, truth.layout, truth.size) for part in (full, none))
    return _stored([torch.where(at, b, a) for a, b, at in zip(*pairs, gone, strict=True)], truth.layout)


def _silent(truth: Truth, grads: Sequence[Tensor]) -> bool:
    """Whether no image but the first is pulled at."""
    return not any(grad[1:].any() for grad in unstored(grads, truth.layout, truth.size))


def _shared(truth: Truth, grads: Sequence[Tensor], part: Part) -> Part:
    """A part without the channels that are pulled at in one image alone."""
    levels = [grad[:, :, list(part.channels)].transpose(1, 2) for grad in unstored(grads, truth.layout, truth.size)]
    images = torch.stack([level.flatten(2).ne(0).any(2) for level in levels]).any(0).sum(0)  # by channel
    return replace(
        part, channels=tuple(c for c, count in zip(part.channels, images.tolist(), strict=True) if count != 1)
    )


def _image(truth: Truth, tensors: Sequence[Tensor], image: int) -> list[Tensor]:
    levels = unstored(tensors, truth.layout, truth.size)
    return _stored([level[image : image + 1] for level in levels], truth.layout)


def _unlike(
    truth: Truth, together: Sequence[Tensor], alone: Sequence[Tensor], image: int, known: Sequence[Part]
) -> dict[str, float]:
    """Of each part the share of an image's numbers whose gradient has another sign alone."""
    pairs = zip(unstored(together, truth.layout, truth.size), unstored(alone, truth.layout, truth.size), strict=True)
    signs: dict[str, list[Tensor]] = {part.name: [] for part in known}
    for level, (many, one) in enumerate(pairs):
        held = torch.from_numpy(truth.mask(level)[image])
        for part in known:
            a, b = (grad[:, list(part.channels)].transpose(0, 1)[:, held] for grad in (many[image], one[0]))
            signs[part.name].append((a.sign() != b.sign()).flatten())
    joined = {name: torch.cat(found).float() for name, found in signs.items()}
    return {name: float(found.mean()) if found.numel() else 0.0 for name, found in joined.items()}


def ignored_cells(truth: Truth, asker: Asker, rng: np.random.Generator) -> list[Said]:
    """Cells that the targets leave out must cost nothing."""
    layout = truth.layout
    if layout.ignore is None:
        return []
    channels = [*layout.class_channels, *([] if layout.objectness is None else [layout.objectness])]
    targets, first, second = truth.levels(), truth.levels(), truth.levels()
    for level, values in enumerate(targets):
        out = ~truth.mask(level) & (rng.random(truth.mask(level).shape) < 0.3)
        for channel in channels:
            values[:, :, channel][out] = layout.ignore
            second[level][:, :, channel][out] = 0.5
    one, other = (asker(meant, targets, "cells left out") for meant in (first, second))
    if np.isfinite(one) and not np.isclose(one, other, rtol=1e-4, atol=1e-6):
        what = f"cells that targets leave out by {layout.ignore:g} cost something"
        return [Said("gradient_leak", what, numbers={"right": one, "other": other})]
    return []
