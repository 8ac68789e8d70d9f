"""Which anchors become detections: a threshold, then non-maximum suppression (NMS) for each image and class."""

from dataclasses import dataclass
from numbers import Real

from torch import Tensor
from torchvision.ops import nms

CLASS_SHIFT = 8192.0
"""px by which the boxes of each class are moved away from those of the one before, so that classes never compete."""
MAX_DETECTIONS = 300


@dataclass(frozen=True)
class Candidate:
    """Anchors of one image whose largest class score passed the threshold: (m,) each, and boxes (m, 4) xyxy px."""

    anchor: Tensor
    class_id: Tensor
    confidence: Tensor
    boxes: Tensor

    def __getitem__(self, rows: Tensor) -> "Candidate":
        return Candidate(self.anchor[rows], self.class_id[rows], self.confidence[rows], self.boxes[rows])

    def __len__(self) -> int:
        return len(self.anchor)


def above(boxes: Tensor, logits: Tensor, conf: float) -> Candidate:
    """The anchors of one image that score more than ``conf``: from boxes (A, 4) and logits (A, nc)."""
    confidence, class_id = logits.float().sigmoid().max(1)
    anchor = (confidence > conf).nonzero().view(-1)
    return Candidate(anchor, class_id[anchor], confidence[anchor], boxes[anchor].float())


def select(boxes: Tensor, logits: Tensor, conf: float, iou: float, most: int = MAX_DETECTIONS) -> list[Candidate]:
    """The detections of each image of a batch, best first: from boxes (B, A, 4) xyxy px and logits (B, A, nc)."""
    return [_best(above(*image, conf), iou, most) for image in zip(boxes, logits, strict=True)]


def _best(found: Candidate, iou: float, most: int) -> Candidate:
    return found[nms(found.boxes + found.class_id[:, None] * CLASS_SHIFT, found.confidence, iou)[:most]]


def check_thresholds(conf: float, iou: float) -> None:
    """Refuses thresholds outside [0, 1] (ValueError), and what is no number (TypeError)."""
    for name, value in (("conf", conf), ("iou", iou)):
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{name} must be a number from 0 to 1, but was {value!r} ({type(value).__name__}).")
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be from 0 to 1, but {value!r} was given.")
