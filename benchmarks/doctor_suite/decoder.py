"""What all decoders of the suite do one after another; each step is a method that a kind or a fault changes."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from .declared import declare

CLASSES = 5


class Decoder:
    """``decode(outputs)``: a (B, C, h, w) tensor a level; (B, N, 4) xyxy px and (B, N, classes) come back.

    This one: distances in strides from the middle of a cell, no objectness, as FCOS and YOLOv8 have them.
    """

    name = "sides"
    strides: tuple[int, ...] = (8, 16, 32)
    declared: Mapping[str, Any] = declare(format="ltrb", unit="stride", objectness=None)
    offset = 0.5
    first_class = 4
    prepare: Callable | None = None

    def layout(self, make: Callable) -> Any:
        classes = tuple(range(self.first_class, self.first_class + CLASSES))
        return make(classes=classes, strides=self.strides, grid_offset=self.offset, **self.declared)

    def __call__(self, outputs: list[Tensor]) -> Any:
        boxes, scores = [], []
        for index, level in enumerate(outputs):
            stride = self.step(index)
            boxes.append(self.flat(self.boxes(self.box_part(level), self.points(level.shape[2:], stride), stride)))
            scores.append(self.flat(self.scores(level)))
        return self.finish(*self.join(torch.cat(boxes, 2), torch.cat(scores, 2)))

    def step(self, index: int) -> float:
        return self.strides[index]

    def points(self, shape: tuple[int, int], stride: float) -> Tensor:
        """(2, h, w) xy px."""
        y, x = torch.meshgrid(torch.arange(shape[0]), torch.arange(shape[1]), indexing="ij")
        return (torch.stack((x, y)) + self.offset) * stride

    def box_part(self, level: Tensor) -> Tensor:
        """(B, 4, h, w): the box channels, activated."""
        return level[:, :4]

    def boxes(self, raw: Tensor, points: Tensor, stride: float) -> Tensor:
        """(B, 4, h, w) xyxy px."""
        return torch.cat((points - raw[:, :2] * stride, points + raw[:, 2:] * stride), 1)

    def scores(self, level: Tensor) -> Tensor:
        """(B, classes, h, w)."""
        shown = level[:, self.first_class : self.first_class + CLASSES]
        return shown if self.first_class == 4 else shown * level[:, 4:5]

    def flat(self, part: Tensor) -> Tensor:
        """(B, c, h, w) as (B, c, N)."""
        return part.flatten(2)

    def join(self, boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 4, N) and (B, classes, N) with channels last."""
        return boxes.permute(0, 2, 1), scores.permute(0, 2, 1)

    def finish(self, boxes: Tensor, scores: Tensor) -> Any:
        return boxes, scores
