"""What torchvision's detectors of one stage share: one head reads all maps and puts out the predictions."""

from typing import Any, cast

from torch import Tensor, nn

from ...head.forward import Outputs
from ...head.head import Head
from .declared import Detector
from .measured import maps


class OneStage(Head):
    """The part of a head that is one for all levels."""

    @staticmethod
    def call(net: nn.Module, images: Tensor) -> Any:
        """The outputs of the head, by name, for a batch (B, 3, H, W)."""
        return cast(Detector, net).head(list(maps(net, images).values()))

    def forward(self, images: Tensor, branch: str) -> Outputs:
        """What backbone, neck and head make of a batch (B, 3, H, W), differentiable."""
        inputs = tuple(maps(self.net, images).values())
        made = [self.level_outputs(level, x, branch) for level, x in enumerate(inputs)]
        logits, raw = zip(*made, strict=True)
        return Outputs(inputs=inputs, logits=logits, raw=raw)
