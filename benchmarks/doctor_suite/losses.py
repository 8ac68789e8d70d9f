"""Correct losses: what cells with an object pay for boxes, and what all cells pay for objectness and classes."""

import torch
from torchvision.ops import complete_box_iou_loss, generalized_box_iou_loss, sigmoid_focal_loss

from .declared import declare
from .loss import BCE, CLASSES, Loss


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
    declared = declare(format="ltrb", unit="stride", objectness=None)
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
    declared = declare(format="cxcywh", unit="stride", relative=True)
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
    declared = declare(format="xyxy", unit="px", objectness=None)

    def decoded(self, raw, stride, places):
        return raw

    def distance(self, found, wanted):
        return super().distance(found, wanted) + 0.01 * (found - wanted).abs().sum()


class YOLOv1Loss(Loss):
    """Squares of everything, empty cells at half weight, nothing activated."""

    name = "yolov1"
    strides = (64,)
    declared = declare(format="cxcywh", unit="stride", relative=True, size_unit="normalized", size_function="sqrt")
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
    declared = declare(format="cxcywh", unit="stride", relative=True, size_function="log")
    offset = 0.0

    def kinds(self, level, truth, held):
        shown, wanted = (part[:, -CLASSES:].permute(0, 2, 3, 1)[held] for part in (level, truth))
        return BCE(shown, wanted, reduction="sum")


class CenterNetLoss(Loss):
    """The focal loss of CornerNet on heat, absolute errors at peaks."""

    name = "centernet"
    strides = (4,)
    declared = declare(format="cxcywh", unit="stride", relative=True, objectness=None, class_values="gaussian")
    offset, first_class = 0.0, 4

    def logits(self, shown):
        """Peaks alone: this loss is least where all but the peaks are 0, whatever the heat around them."""
        return super().logits((shown >= 1).to(shown.dtype))

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
