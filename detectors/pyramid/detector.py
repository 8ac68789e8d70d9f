"""What every detector with a head on three levels has in common, whatever its network."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from torch import Tensor, nn

from . import targets
from .losses import Losses
from .prediction import predict
from .selection import Candidate, select


class LevelHead(nn.Module):
    """The head of one level, which reads ``in_channels``; output channel c of ``classify``, a 1 x 1 convolution, is the
    row of class c."""

    classify: nn.Conv2d
    in_channels: int


class LevelDetector(nn.Module):
    """Finds objects of ``names`` (the class names, or their number) on levels P3, P4 and P5.

    A subclass has ``heads``, a ``LevelHead`` a level, and says ``forward(images)``: what they put out, a level each;
    ``boxes``, ``logits``, ``by_cell`` and ``loss``. Raises ValueError for no class.
    """

    strides = targets.STRIDES
    heads: nn.ModuleList

    def __init__(self, names: int | Sequence[str]):
        super().__init__()
        listed = [f"class {i}" for i in range(names)] if isinstance(names, int) else list(map(str, names))
        if not listed:
            raise ValueError(f"At least one class is needed, but names was {names!r}.")
        self.names: dict[int, str] = dict(enumerate(listed))

    @property
    def level_heads(self) -> list[LevelHead]:
        """The heads, finest level first."""
        return [cast(LevelHead, head) for head in self.heads]

    def boxes(self, outputs: Sequence[Any]) -> Tensor:
        """Boxes (B, A, 4) xyxy px of the network input, one for each anchor."""
        raise NotImplementedError

    def logits(self, outputs: Sequence[Any]) -> Tensor:
        """Logits (B, A, nc), one row for each anchor; their sigmoid is the confidence."""
        raise NotImplementedError

    def by_cell(self, outputs: Sequence[Any], wanted: Sequence[Tensor]) -> dict[str, Tensor]:
        """What each cell adds to each part of the loss, (B, A) by name, not weighted; arguments as in ``loss``."""
        raise NotImplementedError

    def loss(self, outputs: Sequence[Any], wanted: Sequence[Tensor]) -> Losses:
        """Losses of a batch against the stacked targets (B, 5 + nc, h, w) of each level."""
        raise NotImplementedError

    def select(self, boxes: Tensor, logits: Tensor, conf: float, iou: float) -> list[Candidate]:
        """The detections of each image, best first: from boxes (B, A, 4) px and logits (B, A, nc)."""
        return select(boxes, logits, conf, iou)

    def detect(self, images: Tensor, conf: float = 0.25, iou: float = 0.7) -> list[Candidate]:
        """Detections of a batch (B, 3, H, W), RGB in 0..1, in px of the network input."""
        outputs = self(images)
        return self.select(self.boxes(outputs), self.logits(outputs), conf, iou)

    def encode(self, boxes: Tensor, labels: Tensor, image_size: tuple[int, int]) -> tuple[Tensor, ...]:
        """Targets of one image, (5 + nc, h, w) a level; see ``targets.encode`` and ``layout``."""
        return targets.encode(boxes, labels, image_size, len(self.names))

    @property
    def layout(self) -> dict:
        """What the channels of ``encode`` mean, as plain data."""
        return targets.layout(len(self.names))

    def predict(self, source, *, conf: float = 0.25, iou: float = 0.7, imgsz: int = 640) -> Iterator:
        """One ``Prediction`` for each image of a source (file, folder, (H, W, 3) BGR array, list), in px of it."""
        return predict(self, source, conf=conf, iou=iou, imgsz=imgsz)
