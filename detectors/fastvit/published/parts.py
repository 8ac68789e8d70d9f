"""The published detector taken apart, as plain functions that can be asked one by one whether they are right."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..blocks import LevelOutput
from ..head import flat_logits
from . import naive
from .naive import NaiveDetector


@dataclass(frozen=True)
class Parts:
    """Decoder, suppression and loss of a network, with the faults that it has when they are called."""

    net: NaiveDetector

    def raw(self, wanted: Sequence[Tensor]) -> list[LevelOutput]:
        """Targets (B, 5 + nc, h, w) a level, written as the head would have to put them out."""
        return naive.raw(wanted, self.net.faults)

    def decode(self, outputs: Sequence[LevelOutput]) -> tuple[Tensor, Tensor]:
        """Boxes (B, A, 4) xyxy px of the network input, and scores (B, A, nc)."""
        return self.net.boxes(outputs), flat_logits(outputs).sigmoid()

    def detect(self, outputs: Sequence[LevelOutput]) -> list[dict[str, Tensor]]:
        """The detections of each image: what is left of ``decode`` after suppression."""
        found = self.net.select(self.net.boxes(outputs), flat_logits(outputs), conf=0.25, iou=0.7)
        return [{"boxes": one.boxes, "scores": one.confidence, "labels": one.class_id} for one in found]

    def predictions(self, wanted: Sequence[Tensor]) -> list[Tensor]:
        """Targets as perfect predictions, (B, 4 + nc, h, w) a level: boxes in px and class logits."""
        return [torch.cat((level[:, :4], level[:, 5:].logit(1e-4)), 1) for level in wanted]

    def loss(self, predicted: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
        """The loss of ``predictions``, a scalar."""
        flat = torch.cat([level.flatten(2) for level in predicted], 2)
        return naive.loss(flat[:, :4], flat[:, 4:].transpose(1, 2), wanted, self.net.faults).total
