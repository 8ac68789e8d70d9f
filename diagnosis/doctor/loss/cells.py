"""Whether all places and images cost alike, and where a loss pulls."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..boxes.writing import stored, unstored
from ..layout import TargetLayout
from ..notes import Notes
from .asking import Asker
from .boxes import Cost, lowest
from .scores import inverted
from .truth import Truth


def noisy(raw: Sequence[Tensor], size: float, generator: torch.Generator) -> list[Tensor]:
    """Raw predictions with noise of so many of their standard deviations."""
    return [level + size * level.std() * torch.randn(level.shape, generator=generator) for level in raw]


def doubtful(truth: Truth) -> list[np.ndarray]:
    """Levels whose probabilities grow along rows and columns, so that cells cost more the farther on they lie."""
    found, layout = truth.levels(), truth.layout
    channels = [*layout.class_channels, *([] if layout.objectness is None else [layout.objectness])]
    for level in found if layout.class_values != "ids" else ():
        rows, columns = level.shape[-2:]
        grown = (np.linspace(0, 1, rows)[:, None] + np.linspace(0, 1, columns)) / 2
        level[:, :, channels] = 0.03 + 0.92 * grown
    return found


def order(truth: Truth, asker: Asker, notes: Notes, generator: torch.Generator) -> None:
    """One order of the cells, or of the images, of prediction and target together is as good as another."""
    targets = asker.tensors(truth.levels())
    for meant in (truth.levels(), doubtful(truth)):
        raw = noisy(asker.raw(meant), 0.3, generator)
        before = float(asker.value(raw, targets).detach())
        for what, (moved, wanted) in _moved(truth, raw, targets, generator).items():
            after = float(asker.value(moved, wanted).detach())
            if np.isfinite(before) and not np.isclose(after, before, rtol=1e-3, atol=1e-6):
                words = f"the loss changes when {what} change places in predictions and targets alike"
                notes.add("not_permutation_invariant", words, before=before, after=after)
                return


def _moved(
    truth: Truth, raw: Sequence[Tensor], targets: Sequence[Tensor], generator: torch.Generator
) -> dict[str, tuple[list[Tensor], list[Tensor]]]:
    """Predictions and targets in other orders, by what changes places."""
    layout = truth.layout
    parts = [[level.clone() for level in unstored(part, layout, truth.size)] for part in (raw, targets)]
    found = {}
    for what, at in _orders([level[0, 0, 0].numel() for level in parts[0]], generator).items():
        moved = [[_cells(level, order) for level, order in zip(part, at, strict=True)] for part in parts]
        if what == "images":
            moved = [[level.flip(0) for level in part] for part in parts]
        found[what] = _stored(moved[0], layout), _stored(moved[1], layout)
    return found


def _orders(counts: Sequence[int], generator: torch.Generator) -> dict[str, list[Tensor]]:
    """Orders of the cells of each level, by what changes places."""
    return {
        "cells": [torch.randperm(count, generator=generator) for count in counts],
        "the first and the last cells": [torch.arange(count).flip(0) for count in counts],
        "cells in the middle and at the ends": [torch.arange(count).roll(count // 2) for count in counts],
        "images": [torch.arange(count) for count in counts],
    }


def _cells(level: Tensor, at: Tensor) -> Tensor:
    return level.flatten(3)[..., at].reshape(level.shape)


def _stored(levels: Sequence[Tensor], layout: TargetLayout) -> list[Tensor]:
    return stored([level.numpy() for level in levels], layout)


def images(twins: Truth, asker: Asker, cost: Cost) -> bool:
    """Whether boxes, or classes, of the next image cost less than their own; ``twins``: objects in the same cells."""
    if twins.batch < 2:
        return False
    values = [twins.values(level) for level in range(len(twins.objects))]
    moved = [np.roll(level, len(level) // twins.batch, 0) for level in values]
    least = asker(twins.levels(), twins.levels(), "a perfect prediction")
    value = asker(twins.with_boxes(moved), twins.levels(), "boxes of the next image")
    if value < least - cost.slack and lowest(twins, asker, moved, value, cost):
        return True
    classes, channels = twins.levels(), list(twins.layout.class_channels)
    for level in classes:
        level[:, :, channels] = np.roll(level[:, :, channels], 1, 0)
    value = asker(classes, twins.levels(), "classes of the next image")
    return value < least - cost.slack and not _moved_classes(twins, asker, least) and inverted(twins, asker) > value


def _moved_classes(twins: Truth, asker: Asker, least: float) -> bool:
    """Whether classes in another order cost less, which explains that those of another image may."""
    channels = list(twins.layout.class_channels)
    for shift in (1, -1):
        levels = twins.levels()
        for level in levels:
            level[:, :, channels] = np.roll(level[:, :, channels], shift, 2)
        if asker(levels, twins.levels(), "classes moved by one") < least:
            return True
    return False


def pulls(truth: Truth, asker: Asker, notes: Notes, channels: Sequence[int] | None, generator: torch.Generator) -> None:
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
