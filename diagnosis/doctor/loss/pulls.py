"""Where a loss pulls: at all that is wrong in cells that hold an object, and at no boxes elsewhere."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..boxes.writing import unstored
from .asking import Asker
from .astray import astray
from .parts import FAR, Part, beside_boxes, changed, groups
from .said import Said
from .score_pulls import ever_pulled, score_pulls
from .truth import Truth

DRAWS = 3
DEAD = 0.2
"""Of the sides of all objects, the share that may get no gradient at any of some predictions that are a little off."""
EVERY = 0.5
"""Of the empty cells, the share from which on boxes are pulled at in all of them, not in a few wrong ones."""
TOWARDS = 0.99
"""Of the numbers of empty cells that are pulled at, the share that is pulled towards 0 where size itself costs."""
SILENT = 0.6
"""The same where scores are wrong, so that predictions take objects for none."""
NAMES = ("first", "second", "third", "fourth")


def pulls(
    truth: Truth, asker: Asker, known: Sequence[Part], boxes: Sequence[int] | None, *, ordered: bool
) -> list[Said]:
    """What is not pulled at, and what is that should not be.

    ``boxes``: raw channels that must be left alone in empty cells, None where they are not known. ``ordered``: whether
    cells cost alike wherever they lie; where they do not, sides of single objects are not looked at.
    """
    targets, draws, raws = asker.tensors(truth.levels()), [], []
    for seed in range(DRAWS):
        raws.append(astray(truth, asker, seed))
        grads = asker.pulls(raws[-1], targets)
        if grads is None:
            return [Said("no_gradient", "the loss does not depend on the predictions by autograd")]
        draws.append(unstored(grads, truth.layout, truth.size))
    shown = unstored(raws[0], truth.layout, truth.size)
    single = _one_anchor(truth, draws[0], boxes)
    if single:
        return single
    found = [
        *_infinite(draws),
        *_leaks(truth, draws[0], shown, boxes),
        *_boxes(truth, asker, draws, boxes, ordered=ordered),
    ]
    found = found or _trusting(truth, asker, boxes)
    found += _quality(truth, draws, known, boxes)
    for part in known:
        if part.name != "boxes":
            found += score_pulls(truth, asker, draws, part)
    return found


def _infinite(draws: Sequence[Sequence[Tensor]]) -> list[Said]:
    levels = [i for i in range(len(draws[0])) if not all(torch.isfinite(draw[i]).all() for draw in draws)]
    return [Said("non_finite", "the gradient holds NaN or infinity", level=level) for level in levels]


def _leaks(truth: Truth, grads: Sequence[Tensor], raw: Sequence[Tensor], boxes: Sequence[int] | None) -> list[Said]:
    """Boxes that are pulled at in cells without an object, by gradients (B, A, C, H, W) at ``raw``, a level each."""
    found = []
    for level in range(len(truth.objects)) if boxes is not None else ():
        empty = ~torch.from_numpy(truth.mask(level))
        grad, number = (part[level][:, :, list(boxes or ())].movedim(2, -1)[empty] for part in (grads, raw))
        channels = grad.abs() > 0
        leak = channels.any(1)
        if leak.any():
            words = "boxes are pulled at in cells that hold no object"
            numbers = {"share": float(leak.float().mean()), "of channels": float(channels.any(0).float().mean())}
            numbers["towards 0"] = float((grad * number > 0)[channels].float().mean()) > TOWARDS
            every = bool(leak.float().mean() > EVERY)
            found.append(Said("gradient_leak", words, "boxes", level=level, whole=every, numbers=numbers))
    return found


def _one_anchor(truth: Truth, grads: Sequence[Tensor], boxes: Sequence[int] | None) -> list[Said]:
    """Boxes of one anchor that are pulled at in each cell with an object, whichever anchor holds it, and no others."""
    masks = [torch.from_numpy(truth.mask(level)) for level in range(len(truth.objects))]
    for anchor in range(truth.layout.anchor_count) if boxes and truth.layout.anchor_count > 1 else ():
        wanted = [torch.zeros_like(mask) for mask in masks]
        for one, mask in zip(wanted, masks, strict=True):
            one[:, anchor] = mask.any(1)
        pulled = [grad[:, :, list(boxes or ())].ne(0).any(2) for grad in grads]
        if all(map(torch.equal, pulled, wanted)) and not all(map(torch.equal, wanted, masks)):
            words = f"boxes of anchor {anchor} are pulled at wherever another anchor of the cell holds the object"
            return [Said("gradient_leak", words, "boxes", whole=True, numbers={"one anchor": anchor})]
    return []


def _trusting(truth: Truth, asker: Asker, boxes: Sequence[int] | None) -> list[Said]:
    """Boxes that are pulled at only where predictions see an object, or wherever they do."""
    raw = astray(truth, asker, 0, most=0.9)
    grads = asker.pulls(raw, asker.tensors(truth.levels()))
    if grads is None or not groups(truth):
        return []
    draws = [unstored(part, truth.layout, truth.size) for part in (grads, raw)]
    wrong = "where scores are wrong"
    found = [replace(one, words=f"{one.words}, {wrong}") for one in _leaks(truth, draws[0], draws[1], boxes)]
    table = _sides(truth, asker, ever_pulled(draws[:1]), boxes)
    asked = ~np.isnan(table)
    if asked.any() and (table[asked] == 0).mean() > SILENT:
        found.append(Said("no_gradient", f"boxes of objects are not pulled at {wrong}", "boxes", whole=True))
    return found


def _boxes(
    truth: Truth, asker: Asker, draws: Sequence[Sequence[Tensor]], boxes: Sequence[int] | None, *, ordered: bool
) -> list[Said]:
    """Box channels, levels, or sides of single objects that get no gradient."""
    table = _sides(truth, asker, ever_pulled(draws), boxes)
    levels = np.concatenate([np.full(len(one.labels), level) for level, one in enumerate(truth.objects)])
    asked = ~np.isnan(table)
    if not asked.any():
        return []
    dead = (table == 0) & asked
    if dead[asked].all():
        return [Said("no_gradient", "an error of the boxes costs nothing", "boxes", whole=True)]
    silent = [level for level in np.unique(levels) if dead[levels == level][asked[levels == level]].all()]
    words = "boxes are not pulled at where there is an object"
    found = [Said("no_gradient", words, "boxes", level=int(level)) for level in silent]
    heard = ~np.isin(levels, silent)
    labels = np.concatenate([one.labels for one in truth.objects])
    dumb = [int(label) for label in np.unique(labels) if dead[mine := heard & (labels == label)][asked[mine]].all()]
    if dumb and heard.any() and len(dumb) < len(np.unique(labels[heard])):
        words = f"boxes of objects of class {dumb} are not pulled at"
        found.append(Said("no_gradient", words, "boxes", numbers={"of classes": dumb}))
        heard &= ~np.isin(labels, dumb)
    dull = [c for c in range(4) if dead[heard, c].sum() == asked[heard, c].sum() > 0]
    if dull:
        names = " and ".join(NAMES[channel] for channel in dull)
        found.append(Said("no_gradient", f"an error in the {names} box channel costs nothing", "boxes"))
    rest = dead[heard][:, [c for c in range(4) if c not in dull]]
    if ordered and rest.size and rest.mean() > DEAD:
        words = f"{rest.sum()} of {rest.size} sides or places of objects that are a little off get no gradient"
        found.append(Said("no_gradient", words, "boxes", weak=True))
    return found


def _quality(
    truth: Truth, draws: Sequence[Sequence[Tensor]], known: Sequence[Part], boxes: Sequence[int] | None
) -> list[Said]:
    """Channels beside the boxes, as of how central a point is, that are pulled at in no cell with an object."""
    part = next((part for part in beside_boxes(known, boxes) if part.name == "quality"), None)
    if part is None:
        return []
    for level, pulled in enumerate(ever_pulled(draws)):
        if pulled[:, :, list(part.channels)].any(2)[torch.from_numpy(truth.mask(level))].any():
            return []
    return [Said("no_gradient", "an error of what is said of boxes beside them costs nothing", "quality")]


def _sides(truth: Truth, asker: Asker, alive: Sequence[Tensor], boxes: Sequence[int] | None) -> np.ndarray:
    """(objects, 4): 1 where a box channel of an object is pulled at, 0 where not, NaN where no raw number says it.

    ``boxes``: the raw channels that count; None: all that change with a box.
    """
    rows = []
    for channel in range(4):
        says = changed(truth, asker, truth.nudged(channel, FAR))
        column = []
        for level, one in enumerate(truth.objects):
            (a, r, c), mask = one.cells.T, says[level].clone()
            if boxes is not None:
                mask[:, :, [channel for channel in range(mask.shape[2]) if channel not in boxes]] = False
            mine, pulled = (part[one.images, a, :, r, c].numpy() for part in (mask, mask & alive[level]))
            column.append(np.where(mine.any(1), pulled.any(1).astype(float), np.nan))
        rows.append(np.concatenate(column))
    return np.stack(rows, 1)
