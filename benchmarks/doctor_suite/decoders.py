"""Correct decoders: raw boxes of every cell, each by its own convention, to xyxy px and class scores."""

import torch
from torch import Tensor
from torchvision.ops import nms

from .declared import declare
from .decoder import Decoder


class CornerSides(Decoder):
    """The same from the corner of a cell: NanoDet-Plus."""

    name, offset, strides = "sides from corners of cells", 0.0, (8, 16, 32, 64)


class Centres(Decoder):
    """Offsets in the cell and sizes, in strides, with objectness."""

    name, offset, first_class = "centres", 0.0, 5
    declared = declare(format="cxcywh", unit="stride", relative=True)

    def boxes(self, raw, points, stride):
        centre, size = points + raw[:, :2] * stride, self.sizes(raw[:, 2:], stride)
        return torch.cat((centre - size / 2, centre + size / 2), 1)

    def sizes(self, raw: Tensor, stride: float) -> Tensor:
        """(B, 2, h, w) px."""
        return raw * stride


class YOLOXDecoder(Centres):
    """Logarithms of sizes in strides."""

    name = "logarithms"
    declared = declare(format="cxcywh", unit="stride", relative=True, size_function="log")

    def sizes(self, raw, stride):
        return raw.exp() * stride


class PixelCentres(Centres):
    """Centre and size in px of the image; nothing to add."""

    name, offset = "px", 0.5
    declared = declare(format="cxcywh", unit="px")

    def boxes(self, raw, points, stride):
        return torch.cat((raw[:, :2] - raw[:, 2:] / 2, raw[:, :2] + raw[:, 2:] / 2), 1)


class Normalised(Centres):
    """Centre and size as shares of the image, whose sides are those of the grid."""

    name, offset = "normalised", 0.5
    declared = declare(format="cxcywh", unit="normalized")

    def boxes(self, raw, points, stride):
        height, width = (int(side * stride) for side in points.shape[1:])
        whole = self.whole(height, width)[:, None, None]
        centre, size = raw[:, :2] * whole, raw[:, 2:] * whole
        return torch.cat((centre - size / 2, centre + size / 2), 1)

    def whole(self, height: int, width: int) -> Tensor:
        return torch.tensor([width, height])


class Corners(Decoder):
    """Corners of boxes in strides of the image."""

    name = "corners"
    declared = declare(format="xyxy", unit="stride", objectness=None)

    def boxes(self, raw, points, stride):
        return raw * stride


BINS = 16


def as_bins(outputs: list[Tensor]) -> list[Tensor]:
    """Sides (B, 4 + classes, h, w) as logits of bins, (B, 64 + classes, h, w): both bins around a side share it."""
    found = []
    for level in outputs:
        side = level[:, :4].clamp(0, BINS - 1 - 1e-3)
        share = (1 - (side.unsqueeze(2) - torch.arange(BINS).view(BINS, 1, 1)).abs()).clamp(min=0)
        found.append(torch.cat((share.clamp(min=1e-9).log().flatten(1, 2), level[:, 4:]), 1))
    return found


class Distribution(Decoder):
    """The mean of sixteen bins a side (generalized focal loss, arXiv 2006.04388)."""

    name, prepare = "bins", staticmethod(as_bins)

    def box_part(self, level):
        return self.expectation(level[:, : 4 * BINS].unflatten(1, (4, BINS)))

    def expectation(self, bins: Tensor) -> Tensor:
        """(B, 4, bins, h, w) as (B, 4, h, w)."""
        return (bins.softmax(2) * torch.arange(BINS).view(BINS, 1, 1)).sum(2)

    def scores(self, level):
        return level[:, 4 * BINS :]


class Selected(Decoder):
    """Detections after suppression, (n, 6) an image."""

    name, confidence = "after suppression", 0.25

    def finish(self, boxes, scores):
        found = []
        for box, score in zip(boxes, scores, strict=True):
            best, label = score.max(1)
            kept = best > self.confidence
            box, best, label = box[kept], best[kept], label[kept]
            chosen = nms(box + 4096.0 * label[:, None], best, 0.6)
            found.append(torch.cat((box, best[:, None], label[:, None]), 1)[chosen])
        return found


class Named(YOLOXDecoder):
    """Detections by name, as torchvision gives them."""

    name = "by name"

    def finish(self, boxes, scores):
        found = []
        for box, score in zip(boxes, scores, strict=True):
            best, label = score.max(1)
            kept = best > 0.05
            found.append({"boxes": box[kept], "scores": best[kept], "labels": label[kept]})
        return found


class Clipped(Decoder):
    """Boxes cut to the image, as many decoders do."""

    name = "cut to the image"

    def boxes(self, raw, points, stride):
        made = super().boxes(raw, points, stride)
        height, width = (side * stride for side in made.shape[2:])
        return made.clamp(min=0).minimum(torch.tensor([width, height, width, height])[:, None, None])


DECODERS = {
    kind.name: kind
    for kind in (
        Decoder,
        CornerSides,
        Centres,
        YOLOXDecoder,
        PixelCentres,
        Normalised,
        Corners,
        Distribution,
        Selected,
        Named,
        Clipped,
    )
}
