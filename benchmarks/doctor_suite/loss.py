"""What all losses of the suite add up; each step is a method that a kind or a fault changes."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .declared import declare

CLASSES = 4
SURE = 1e-4
BCE = F.binary_cross_entropy_with_logits


class Loss:
    """``loss(predictions, targets)``: (B, C, h, w) a level each; a scalar.

    This one: distances by absolute error, objectness and classes by cross-entropy.
    """

    name = "absolute error"
    strides: tuple[int, ...] = (8, 16, 32)
    declared: Mapping[str, Any] = declare(format="ltrb", unit="stride", objectness=4)
    first_class = 5
    offset = 0.5
    box_channels: tuple[int, ...] | None = (0, 1, 2, 3)

    def layout(self, make: Callable) -> Any:
        classes = tuple(range(self.first_class, self.first_class + CLASSES))
        return make(classes=classes, strides=self.strides, grid_offset=self.offset, **self.declared)

    def prepare(self, targets: list[Tensor]) -> list[Tensor]:
        """The raw predictions that mean the same as targets: boxes as they are, probabilities as logits."""
        return [torch.cat((self.raw_boxes(level[:, :4]), self.logits(level[:, 4:])), 1) for level in targets]

    def raw_boxes(self, boxes: Tensor) -> Tensor:
        return boxes

    def logits(self, shown: Tensor) -> Tensor:
        return shown.clamp(SURE, 1 - SURE).logit()

    def __call__(self, predictions: list[Tensor], targets: list[Tensor]) -> Any:
        total = predictions[0].sum() * 0
        for index, (level, truth) in enumerate(zip(predictions, targets, strict=True)):
            total = total + self.level(index, level, truth)
        return self.finish(total, targets)

    def level(self, index: int, level: Tensor, truth: Tensor) -> Tensor:
        held = self.held(truth)
        total = self.presence(level, truth, held) + self.kinds(level, truth, held)
        raw, wanted = self.cells(self.box_part(level)), self.cells(truth[:, :4])
        chosen = self.chosen(held)
        return total + self.boxes(raw[chosen], wanted[chosen], self.strides[index], self.places(held)[chosen])

    def held(self, truth: Tensor) -> Tensor:
        """(B, h, w): which cells hold an object."""
        return truth[:, self.first_class :].amax(1) >= 1

    def chosen(self, held: Tensor) -> Tensor:
        """(B * h * w,): the cells that pay for boxes."""
        return held.reshape(-1)

    def cells(self, part: Tensor) -> Tensor:
        """(B, c, h, w) as (B * h * w, c)."""
        return part.permute(0, 2, 3, 1).reshape(-1, part.shape[1])

    def places(self, held: Tensor) -> Tensor:
        """(B * h * w, 2) xy of the points of cells, strides."""
        y, x = torch.meshgrid(torch.arange(held.shape[1]), torch.arange(held.shape[2]), indexing="ij")
        return (torch.stack((x, y), -1).reshape(-1, 2) + self.offset).repeat(len(held), 1)

    def box_part(self, level: Tensor) -> Tensor:
        return level[:, :4]

    def boxes(self, raw: Tensor, wanted: Tensor, stride: float, places: Tensor) -> Tensor:
        """What (k, 4) predictions of cells pay for their boxes."""
        return self.distance(self.decoded(raw, stride, places), self.decoded(wanted, stride, places))

    def decoded(self, raw: Tensor, stride: float, places: Tensor) -> Tensor:
        return raw

    def distance(self, found: Tensor, wanted: Tensor) -> Tensor:
        return (found - wanted).abs().sum()

    def presence(self, level: Tensor, truth: Tensor, held: Tensor) -> Tensor:
        """What cells pay for objectness."""
        return BCE(level[:, -CLASSES - 1], truth[:, 4], reduction="sum")

    def kinds(self, level: Tensor, truth: Tensor, held: Tensor) -> Tensor:
        """What cells pay for classes."""
        return BCE(level[:, -CLASSES:], truth[:, -CLASSES:], reduction="sum")

    def finish(self, total: Tensor, targets: list[Tensor]) -> Any:
        return total
