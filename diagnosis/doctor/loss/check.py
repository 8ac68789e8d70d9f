"""Hold a loss to what every one owes: a minimum at the truth, every channel seen, no care for order, no NaN."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ...findings import Report
from ..layout import TargetLayout
from ..notes import Notes
from . import scores
from .asking import Asker, Failed
from .boxes import Cost, ignored, misplaced
from .cells import ignored_cells, images, noisy, order, pulls
from .truth import Truth, truth

SPECIFIC = ("axes_swapped", "wrong_box_format", "wrong_box_unit", "half_cell_offset", "class_wrong", "mixed_batch")
FOLLOWS = {
    "not_permutation_invariant": (*SPECIFIC, "not_minimal", "gradient_leak", "no_gradient"),
    "non_finite": ("not_minimal", "no_gradient", *SPECIFIC),
    **dict.fromkeys(SPECIFIC, ("not_minimal",)),
    "mixed_batch": ("not_minimal", "gradient_leak", "no_gradient"),
}
"""What each cause brings with it."""


def check_loss(
    loss: Callable[..., Tensor],
    layout: TargetLayout,
    *,
    image_size: tuple[int, int] | None = None,
    batch: int = 2,
    prepare: Callable | None = None,
    box_channels: Sequence[int] | None = None,
    seed: int = 0,
) -> Report:
    """Name what is wrong with ``loss(predictions, targets)``, a scalar tensor that carries gradient.

    Both are batches a level in the storage of ``layout`` ((B, C, h, w) with ``CHW``; one tensor (B, N, C) with ``NC``);
    targets hold zeros where there is no object. ``prepare`` turns targets into the raw predictions that mean the same
    (logits, bins); without it they are taken as they are. ``box_channels``: the box's channels of raw predictions; the
    layout's where ``prepare`` is not given. ``image_size``: (height, width), 192 x 320 where strides divide that.
    ValueError where they do not divide what is given.
    """
    image_size = image_size or _fitting(layout)
    if any(side % stride for side in image_size for stride in layout.strides) or batch < 1:
        raise ValueError(
            f"image_size must be multiples of {layout.strides} and batch at least 1, not {image_size}, {batch}."
        )
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 30)))
    asker, notes = Asker(loss, layout, prepare), Notes(len(layout.strides))
    given = truth(layout, image_size, batch, rng)
    channels = box_channels if box_channels is not None or prepare else layout.box
    try:
        order(given, asker, notes, generator)
        _minimum(given, asker, notes, generator, rng)
        pulls(given, asker, notes, channels, generator)
        ignored_cells(given, asker, notes, rng)
    except Failed as error:
        notes.add(error.code, f"targets with objects: {error}")
    _hard_cases(given, asker, notes, generator)
    _calls(asker, notes)
    for cause, follows in FOLLOWS.items():
        for symptom in follows if notes.has(cause) else ():
            notes.drop(symptom, cause)
    return Report("loss", notes.findings(set(range(len(layout.strides)))), asker.asked)


def _fitting(layout: TargetLayout) -> tuple[int, int]:
    """A small oblong image that the strides divide."""
    if not any(side % stride for side in (192, 320) for stride in layout.strides):
        return 192, 320
    coarsest = int(max(layout.strides))
    return 2 * coarsest, 3 * coarsest


def _minimum(given: Truth, asker: Asker, notes: Notes, generator: torch.Generator, rng: np.random.Generator) -> None:
    """The truth must have the smallest loss, and every departure from it a greater one."""
    targets = given.levels()
    best = asker(targets, targets, "a perfect prediction")
    if not np.isfinite(best) or notes.has("not_permutation_invariant"):
        return
    raw = asker.raw(targets)
    far = asker.of_raw(noisy(raw, 1.0, generator), targets, "a prediction full of noise")
    cost = Cost(best, 1e-3 * abs(far - best) + 1e-6)
    twins = truth(given.layout, given.size, given.batch, rng, alike=True)
    if images(twins, asker, cost):
        notes.add("mixed_batch", "predictions cost less in the place of the next image than in their own")
        return
    found = [*misplaced(given, asker, cost), *ignored(given, asker, cost), *scores.check(given, asker, cost)]
    for code, words in found:
        notes.add(code, words)
    if not found and far <= best + 1e-7:
        notes.add("not_minimal", "a prediction full of noise costs no more than a perfect one", perfect=best, other=far)
        return
    for size in () if found else (0.1, 1.0):
        other = asker.of_raw(noisy(raw, size, generator), targets, "a prediction with noise")
        if other < best - cost.slack:
            what = "a prediction with noise has a smaller loss than a perfect one"
            notes.add("not_minimal", what, perfect=best, other=other)
            return


def _hard_cases(given: Truth, asker: Asker, notes: Notes, generator: torch.Generator) -> None:
    """Targets that are empty, wholly or but for one image of one level, and boxes without an area."""
    cases = {
        "empty targets": given.empty(),
        "objects on one level of one image": given.only(0).levels(),
        "boxes without an area": given.flat().levels(),
    }
    for name, targets in cases.items():
        try:
            words = _finite(targets, asker, generator)
            flat = name == "boxes without an area" and words and not _explodes(given, asker)
        except Failed as error:
            notes.add(error.code, f"{name}: {error}")
            continue
        if words:
            notes.add("non_finite", f"{name}: {words}", severity="warning" if flat else "error")


def _explodes(given: Truth, asker: Asker) -> bool:
    """Whether an error at boxes of a thousandth of a px costs a hundred times what it costs at others."""
    costs = []
    for one in (given, given.flat(1e-3)):
        targets = asker.tensors(one.levels())
        right, moved = (float(asker.value(asker.raw(m), targets).detach()) for m in (one.levels(), one.nudged(0, 0.1)))
        costs.append(abs(moved - right))
    return not np.isfinite(costs).all() or costs[1] > 100 * costs[0]


def _finite(targets: list[np.ndarray], asker: Asker, generator: torch.Generator) -> str:
    """What is not finite of right predictions, and of ones that are nearly right; empty where all is."""
    targets = [np.nan_to_num(level, neginf=-20.0) for level in targets]
    for size in (0.0, 0.3):
        base = asker.raw(targets)
        raw = [level + size * torch.randn(level.shape, generator=generator) for level in base]
        raw = [level.requires_grad_() for level in raw]
        value = asker.value(raw, asker.tensors(targets))
        grads = torch.autograd.grad(value, raw, allow_unused=True) if value.requires_grad else []
        if not torch.isfinite(value):
            return "the loss is not finite"
        if not all(torch.isfinite(grad).all() for grad in grads if grad is not None):
            return "the gradient is not finite"
    return ""


def _calls(asker: Asker, notes: Notes) -> None:
    """What the calls themselves have shown."""
    if asker.infinite:
        kinds = ", ".join(dict.fromkeys(asker.infinite))
        what = f"{len(asker.infinite)} of {asker.asked} losses are NaN or infinite: {kinds}"
        notes.add("non_finite", what if len(what) < 300 else f"{what[:300]} …", calls=len(asker.infinite))
    if asker.changed:
        notes.add("state_leak", f"it changes its {asker.changed} in place")
