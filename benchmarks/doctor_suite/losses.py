"""Correct losses: what cells with an object pay for boxes, and what all cells pay for objectness and classes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import complete_box_iou_loss, generalized_box_iou_loss, sigmoid_focal_loss

CLASSES = 4
SURE = 1e-4
BCE = F.binary_cross_entropy_with_logits


class Loss:
    """``loss(predictions, targets)``: (B, C, h, w) a level each; a scalar.

    This one: distances by absolute error, objectness and classes by cross-entropy.
    """

    name = "absolute error"
    strides: tuple[int, ...] = (8, 16, 32)
    declared: dict[str, Any] = {"format": "ltrb", "unit": "stride", "objectness": 4}
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


class MeanOfObjects(Loss):
    """Squares, over the number of objects and at least 1."""

    name = "squared error"

    def distance(self, found, wanted):
        return (found - wanted).square().sum()

    def finish(self, total, targets):
        return total / sum(self.held(level).sum() for level in targets).clamp(min=1)


class FCOSLoss(Loss):
    """Focal loss on classes alone, overlap of distances (GIoU), no objectness."""

    name = "focal, overlap"
    declared = {"format": "ltrb", "unit": "stride", "objectness": None}
    first_class = 4

    def presence(self, level, truth, held):
        return level.sum() * 0

    def kinds(self, level, truth, held):
        return sigmoid_focal_loss(level[:, -CLASSES:], truth[:, -CLASSES:], reduction="sum")

    def decoded(self, raw, stride, places):
        return torch.cat((places - raw[:, :2], places + raw[:, 2:]), 1)

    def distance(self, found, wanted):
        return generalized_box_iou_loss(found, wanted, reduction="sum", eps=1e-6)


class CompleteIoU(Loss):
    """Complete overlap of centres and sizes in strides (CIoU, arXiv 2005.03572)."""

    name = "complete overlap"
    declared = {"format": "cxcywh", "unit": "stride", "relative": True}
    offset = 0.0

    def decoded(self, raw, stride, places):
        centre, size = raw[:, :2] + places, raw[:, 2:]
        return torch.cat((centre - size / 2, centre + size / 2), 1)

    def distance(self, found, wanted):
        flat = (wanted[:, 2:] - wanted[:, :2]).amin(1) <= 1e-3
        size = (found[:, 2:] - found[:, :2]).clamp(min=1e-3)
        found = torch.cat((found[:, :2], found[:, :2] + size), 1)
        return complete_box_iou_loss(found[~flat], wanted[~flat], reduction="sum", eps=1e-6)


class PixelCorners(FCOSLoss):
    """Corners in px, by overlap and absolute error."""

    name = "corners in px"
    declared = {"format": "xyxy", "unit": "px", "objectness": None}

    def decoded(self, raw, stride, places):
        return raw

    def distance(self, found, wanted):
        return super().distance(found, wanted) + 0.01 * (found - wanted).abs().sum()


class YOLOv1Loss(Loss):
    """Squares of everything, empty cells at half weight, nothing activated."""

    name = "yolov1"
    strides = (64,)
    declared = {
        "format": "cxcywh",
        "unit": "stride",
        "relative": True,
        "size_unit": "normalized",
        "size_function": "sqrt",
    }
    offset = 0.0

    def logits(self, shown):
        return shown

    def distance(self, found, wanted):
        return 5 * (found - wanted).square().sum()

    def presence(self, level, truth, held):
        error = (level[:, 4] - truth[:, 4]).square()
        return error[held].sum() + 0.5 * error[~held].sum()

    def kinds(self, level, truth, held):
        return (level[:, 5:] - truth[:, 5:]).square().permute(0, 2, 3, 1)[held].sum()


class YOLOXLoss(Loss):
    """Logarithms of sizes by absolute error; classes in cells with an object alone."""

    name = "yolox"
    declared = {"format": "cxcywh", "unit": "stride", "relative": True, "size_function": "log"}
    offset = 0.0

    def kinds(self, level, truth, held):
        shown, wanted = (part[:, -CLASSES:].permute(0, 2, 3, 1)[held] for part in (level, truth))
        return BCE(shown, wanted, reduction="sum")


class CenterNetLoss(Loss):
    """The focal loss of CornerNet on heat, absolute errors at peaks."""

    name = "centernet"
    strides = (4,)
    declared = {
        "format": "cxcywh",
        "unit": "stride",
        "relative": True,
        "objectness": None,
        "class_values": "gaussian",
    }
    offset, first_class = 0.0, 4

    def presence(self, level, truth, held):
        return level.sum() * 0

    def kinds(self, level, truth, held):
        shown, heat = level[:, -CLASSES:].sigmoid().clamp(1e-6, 1 - 1e-6), truth[:, -CLASSES:]
        peak = heat >= 1
        positive = (1 - shown).square() * shown.log()
        negative = (1 - heat) ** 4 * shown.square() * (1 - shown).log()
        return -torch.where(peak, positive, negative).sum()


BINS = 16


class DistributionLoss(FCOSLoss):
    """Bins by the distribution focal loss and by overlap (arXiv 2006.04388)."""

    name = "bins"
    box_channels = tuple(range(4 * BINS))

    def raw_boxes(self, boxes):
        side = boxes.clamp(0, BINS - 1.01)
        share = (1 - (side.unsqueeze(2) - torch.arange(BINS).view(BINS, 1, 1)).abs()).clamp(min=0)
        return share.clamp(min=1e-7).log().flatten(1, 2)

    def box_part(self, level):
        return level[:, : 4 * BINS]

    def boxes(self, raw, wanted, stride, places):
        bins, side = raw.view(-1, 4, BINS), wanted.clamp(0, BINS - 1.01)
        low = side.long()
        shares = bins.log_softmax(2)
        near, far = (shares.gather(2, (low + k).unsqueeze(2))[..., 0] for k in (0, 1))
        focal = -(near * (low + 1 - side) + far * (side - low)).sum()
        mean = (bins.softmax(2) * torch.arange(BINS)).sum(2)
        return focal + super().boxes(mean, side, stride, places)


LOSSES = {
    kind.name: kind
    for kind in (
        Loss,
        MeanOfObjects,
        FCOSLoss,
        CompleteIoU,
        PixelCorners,
        YOLOv1Loss,
        YOLOXLoss,
        CenterNetLoss,
        DistributionLoss,
    )
}
