"""What torchvision's detectors share at their end: results, and how NMS holds classes apart."""

from dataclasses import dataclass

from torch import Tensor
from torchvision.ops import box_iou

from ...head.forward import Candidates

APART = 4000, 100_000  # coordinates, CPU and elsewhere, beyond which batched_nms takes class by class, unshifted


@dataclass(frozen=True)
class TorchvisionResult:
    """What the model returns for one image: ``boxes`` (n, 4) xyxy px of the original, ``scores``, ``labels`` (n,)."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor


def stood(anchor: Tensor, class_id: Tensor, confidence: Tensor, boxes: Tensor, iou: float) -> Candidates:
    """What stands for ``batched_nms`` at this threshold, in its order; arguments as in ``Candidates``."""
    return Candidates(
        anchor=anchor,
        class_id=class_id,
        confidence=confidence,
        boxes=boxes,
        iou_threshold=iou,
        shift=class_shift(boxes),
        pairwise_iou=lambda a, b: box_iou(a, b).double(),
    )


def class_shift(boxes: Tensor) -> float | None:
    """How far ``batched_nms`` moves boxes (n, 4) apart for each class id, px; None where it takes class by class."""
    if boxes.numel() > APART[boxes.device.type != "cpu"]:
        return None
    return float(boxes.max() + 1) if len(boxes) else 0.0
