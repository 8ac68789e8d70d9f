"""Whether all places and images cost alike, and where a loss pulls."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..boxes.writing import unstored
from ..notes import Notes
from .asking import Asker
from .boxes import Cost
from .truth import Truth


def noisy(raw: Sequence[Tensor], size: float, generator: torch.Generator) -> list[Tensor]:
    """Raw predictions with noise of so many of their standard deviations."""
    return [level + size * level.std() * torch.randn(level.shape, generator=generator) for level in raw]


def order(truth: Truth, asker: Asker, notes: Notes, generator: torch.Generator) -> None:
    """One permutation of the cells, or of the images, of prediction and target together must change nothing."""
    layout, size = truth.layout, truth.size
    targets = asker.tensors(truth.levels())
    raw = noisy(asker.raw(truth.levels()), 0.3, generator)
    before = float(asker.value(raw, targets).detach())
    parts = [[level.clone() for level in unstored(part, layout, size)] for part in (raw, targets)]
    orders = [torch.randperm(level[0, 0, 0].numel(), generator=generator) for level in parts[0]]
    cells = [[_cells(level, at) for level, at in zip(part, orders, strict=True)] for part in parts]
    images = [[level.flip(0) for level in part] for part in parts]
    for what, (moved, wanted) in (("cells", cells), ("images", images)):
        after = float(asker.value(*(_stored(part, layout) for part in (moved, wanted))).detach())
        if not np.isclose(after, before, rtol=1e-3, atol=1e-6):
            words = f"the loss changes when {what} change places in predictions and targets alike"
            notes.add("not_permutation_invariant", words, before=before, after=after)
            return


def _cells(level: Tensor, at: Tensor) -> Tensor:
    return level.flatten(3)[..., at].reshape(level.shape)


def _stored(levels: Sequence[Tensor], layout) -> list[Tensor]:
    from ..boxes.writing import stored

    return stored([level.numpy() for level in levels], layout)


def images(truth: Truth, asker: Asker, cost: Cost) -> bool:
    """Whether predictions that stand in the next image cost less than those in their own."""
    if truth.batch < 2:
        return False
    targets = truth.levels()
    moved = [np.roll(level, 1, 0) for level in targets]
    return asker(moved, targets, "images that change places") < cost.least - cost.slack


def pulls(
    truth: Truth, asker: Asker, notes: Notes, channels: Sequence[int] | None, generator: torch.Generator
) -> None:
    """Box channels must be pulled at in the cells that hold an object, and in no other."""
    raw = [level.requires_grad_() for level in noisy(asker.raw(truth.levels()), 0.3, generator)]
    value = asker.value(raw, asker.tensors(truth.levels()))
    if not value.requires_grad:
        notes.add("no_gradient", "the loss does not depend on the predictions by autograd")
        return
    value.backward()
    grads = [torch.zeros_like(level) if level.grad is None else level.grad for level in raw]
    for level, grad in enumerate(unstored(grads, truth.layout, truth.size)):
        if not torch.isfinite(grad).all():
            notes.add("non_finite", "the gradient holds NaN or infinity", level=level)
            continue
        _pulled(grad, torch.from_numpy(truth.mask(level)), channels, notes, level)


def _pulled(grad: Tensor, held: Tensor, channels: Sequence[int] | None, notes: Notes, level: int) -> None:
    """What one level's gradient (B, A, C, H, W) says of the cells with an object (B, A, H, W)."""
    size = grad.abs().amax(2)
    if not size[held].gt(0).all():
        notes.add("no_gradient", "cells that hold an object get no gradient", level=level)
    if channels is None:
        return
    box = grad[:, :, list(channels)].abs().amax(2)
    if (box[~held] > 0).any():
        share = float((box[~held] > 0).float().mean())
        notes.add("gradient_leak", "boxes are pulled at in cells that hold no object", level=level, share=share)
    if not (box[held] > 0).any() and size[held].gt(0).all():
        notes.add("no_gradient", "boxes are not pulled at where there is an object", level=level)


def ignored_cells(truth: Truth, asker: Asker, notes: Notes, rng: np.random.Generator) -> None:
    """Cells that the targets leave out must cost nothing."""
    layout = truth.layout
    if layout.ignore is None:
        return
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
        notes.add("gradient_leak", what, right=one, other=other)
