"""Hold a loss to what every one owes: a minimum at the truth, no care for order, no NaN, no stray gradient."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ...findings import Report
from ..boxes.bench import Bench
from ..boxes.readings import declared, predict
from ..layout import TargetLayout
from ..notes import Notes

FOLLOWS = {
    "not_permutation_invariant": ("not_minimal", "gradient_leak", "no_gradient"),
    "non_finite": ("not_minimal", "no_gradient"),
}
"""What each cause brings with it."""


def check_loss(
    loss: Callable[[list[Tensor], list[Tensor]], Tensor],
    layout: TargetLayout,
    *,
    image_size: tuple[int, int] = (192, 320),
    batch: int = 2,
    prepare: Callable[[list[Tensor]], list[Tensor]] | None = None,
    box_channels: Sequence[int] | None = None,
    seed: int = 0,
) -> Report:
    """Name what is wrong with ``loss(predictions, targets)``, a scalar tensor that carries gradient.

    Both are lists of (B, C, h, w), one a level; targets are as ``layout`` says, with zeros where there is no object.
    ``prepare`` turns targets into the raw predictions that mean the same (logits, bins); without it they are taken as
    they are. ``box_channels``: the box's channels of raw predictions; the layout's where ``prepare`` is not given.
    """
    trial = _Loss(loss, layout, image_size, batch, prepare, np.random.default_rng(seed))
    channels = box_channels if box_channels is not None or prepare else layout.box
    notes = Notes(len(layout.strides))
    try:
        trial.minimum(notes)
        trial.order(notes)
        trial.gradient(notes, channels)
    except _Failed as error:
        notes.add(error.code, f"targets with objects: {error}")
    for name, targets in (("empty targets", trial.empty()), ("boxes without an area", trial.targets(flat=True))):
        try:
            trial.finite(name, targets, notes)
        except _Failed as error:
            notes.add(error.code, f"{name}: {error}")
    for cause, follows in FOLLOWS.items():
        for symptom in follows if notes.has(cause) else ():
            notes.drop(symptom, cause)
    return Report("loss", notes.findings(set(range(len(layout.strides)))), trial.asked)


class _Failed(Exception):
    def __init__(self, code: str, what: str):
        super().__init__(what)
        self.code = code


class _Loss:
    """Targets and predictions for one loss, and what it says of them."""

    def __init__(self, loss, layout, image_size, batch, prepare, rng):
        self.loss, self.layout, self.prepare, self.rng, self.asked = loss, layout, prepare, rng, 0
        self.bench = Bench(None, layout, image_size, batch, None, rng)
        self.generator = torch.Generator().manual_seed(int(rng.integers(1 << 30)))

    def empty(self) -> list[Tensor]:
        return [torch.zeros(self.bench.batch, self.layout.channels, *shape) for shape in self.bench.shapes]

    def targets(self, flat: bool = False) -> list[Tensor]:
        """Three objects a level and image, each in one cell; ``flat``: boxes without width or height."""
        found = self.empty()
        for level, (height, width) in enumerate(self.bench.shapes):
            for image in range(self.bench.batch):
                cells = self.rng.permutation(height * width)[:3]
                rows, columns = np.divmod(cells, width)
                boxes = self.bench.box(level, rows, columns, 2.2)
                if flat:
                    boxes[:, 2] = boxes[:, 0]
                    boxes[::2, 3] = boxes[::2, 1]
                values = predict(
                    declared(self.layout, self.layout.strides[level]), self.bench.written(level, boxes, rows, columns)
                )
                for i, (row, column) in enumerate(zip(rows, columns, strict=True)):
                    cell = found[level][image, :, row, column]
                    cell[list(self.layout.box)] = torch.tensor(values[i], dtype=torch.float32)
                    cell[self.layout.class_channels[int(self.rng.integers(len(self.layout.class_channels)))]] = 1
                    if self.layout.objectness is not None:
                        cell[self.layout.objectness] = 1
        return found

    def raw(self, targets: list[Tensor]) -> list[Tensor]:
        copies = [level.clone() for level in targets]
        return [level.detach().clone() for level in self.prepare(copies)] if self.prepare else copies

    def ask(self, predictions: list[Tensor], targets: list[Tensor]) -> Tensor:
        self.asked += 1
        try:
            value = self.loss(predictions, [level.clone() for level in targets])
        except Exception as error:
            raise _Failed("raises", f"it raises {type(error).__name__}: {error}") from error
        if not isinstance(value, Tensor) or value.numel() != 1:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise _Failed("wrong_output", f"a scalar tensor is needed, but {shape} came")
        return value.reshape(())

    def noisy(self, raw: list[Tensor], size: float, channel: int | None = None) -> list[Tensor]:
        """Predictions with noise of ``size`` standard deviations, in all channels or in one."""
        found = []
        for level in raw:
            noise = size * level.std() * torch.randn(level.shape, generator=self.generator)
            if channel is not None:
                noise = noise * (torch.arange(level.shape[1]) == channel)[:, None, None]
            found.append(level + noise)
        return found

    def minimum(self, notes: Notes) -> None:
        """The truth must have the smallest loss among predictions near and far."""
        targets = self.targets()
        raw = self.raw(targets)
        best = float(self.ask(raw, targets).detach())
        if not np.isfinite(best):
            notes.add("non_finite", "a perfect prediction has no finite loss", loss=best)
            return
        far = float(self.ask(self.noisy(raw, 1.0), targets).detach())
        if far <= best + 1e-7:
            what = "a prediction full of noise costs no more than a perfect one"
            notes.add("not_minimal", what, perfect=best, other=far)
            return
        slack = 1e-3 * abs(far - best) + 1e-6
        tries = [(size, None) for size in (0.1, 1.0)]
        tries += [(size, channel) for channel in range(raw[0].shape[1]) for size in (0.1, 1.0)]
        for size, channel in tries:
            other = float(self.ask(self.noisy(raw, size, channel), targets))
            if other < best - slack:
                where = "with noise" if channel is None else f"with noise in channel {channel}"
                what = f"a prediction {where} has a smaller loss than a perfect one"
                notes.add("not_minimal", what, perfect=best, other=other)
                return

    def order(self, notes: Notes) -> None:
        """One permutation of the cells, or of the images, of prediction and target together must change nothing."""
        targets = self.targets()
        raw = self.noisy(self.raw(targets), 0.3)
        before = float(self.ask(raw, targets).detach())
        orders = [torch.randperm(h * w, generator=self.generator) for h, w in self.bench.shapes]
        cells = [[_cells(level, order) for level, order in zip(part, orders, strict=True)] for part in (raw, targets)]
        images = [[level.flip(0) for level in part] for part in (raw, targets)]
        for what, (moved, truth) in (("cells", cells), ("images", images)):
            after = float(self.ask(moved, truth))
            if np.isfinite(before) and abs(after - before) > 1e-3 * abs(before) + 1e-6:
                notes.add(
                    "not_permutation_invariant", f"the order of the {what} changes the loss", before=before, after=after
                )
                return

    def gradient(self, notes: Notes, channels: Sequence[int] | None) -> None:
        """Box channels must be pulled at in the cells that hold an object, and in no other."""
        targets = self.targets()
        raw = [level.requires_grad_() for level in self.noisy(self.raw(targets), 0.3)]
        value = self.ask(raw, targets)
        if not value.requires_grad:
            notes.add("no_gradient", "the loss does not depend on the predictions by autograd")
            return
        value.backward()
        for index, (level, truth) in enumerate(zip(raw, targets, strict=True)):
            held = truth[:, list(self.layout.class_channels)].amax(1) > 0
            grad = torch.zeros_like(level) if level.grad is None else level.grad
            if not torch.isfinite(grad).all():
                notes.add("non_finite", "the gradient holds NaN or infinity", level=index)
                continue
            if not grad.abs().amax(1)[held].gt(0).all():
                notes.add("no_gradient", "cells that hold an object get no gradient", level=index)
            if channels is None:
                continue
            box = grad[:, list(channels)].abs().amax(1)
            if (box[~held] > 0).any():
                share = float((box[~held] > 0).float().mean())
                notes.add("gradient_leak", "boxes are pulled at in cells that hold no object", level=index, share=share)
            if not (box[held] > 0).any() and grad.abs().amax(1)[held].gt(0).all():
                notes.add("no_gradient", "boxes are not pulled at where there is an object", level=index)

    def finite(self, name: str, targets: list[Tensor], notes: Notes) -> None:
        for size in (0.0, 0.3):
            base = self.raw(targets)
            raw = [
                level.requires_grad_()
                for level in ([b + size * torch.randn(b.shape, generator=self.generator) for b in base])
            ]
            value = self.ask(raw, targets)
            grads = torch.autograd.grad(value, raw, allow_unused=True) if value.requires_grad else []
            sound = all(torch.isfinite(grad).all() for grad in grads if grad is not None)
            if not torch.isfinite(value) or not sound:
                what = "the loss" if not torch.isfinite(value) else "the gradient"
                notes.add("non_finite", f"{name}: {what} is not finite", loss=float(value.detach()))
                return


def _cells(level: Tensor, order: Tensor) -> Tensor:
    return level.flatten(2)[:, :, order].reshape(level.shape)
