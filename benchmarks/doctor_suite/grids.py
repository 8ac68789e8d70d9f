"""Small detectors that describe their heads, correct ones; and what a planted fault changes in them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from .grid_head import WatcherHead


class Watcher(nn.Module):
    """Two levels, four distances from the middle of a cell in strides; a cell sees its own pixels.

    Subclasses are other habits of correct heads; a fault is a mix-in that stands before one.
    """

    name = "distances"
    strides: tuple[int, ...] = (8, 16)
    classes, anchors, bins, offset = 4, 1, 1, 0.5
    kernel = 1  # of the convolutions beside the patches

    def __init__(self, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        width, first = 12, self.strides[0]
        self.stem = nn.Conv2d(3, width, first, first)
        self.down = nn.ModuleList(nn.Conv2d(width, width, 2, 2) for _ in self.strides[1:])
        make: Callable[[int], nn.Module] = lambda out: nn.Conv2d(width, out, self.kernel, padding=self.kernel // 2)  # noqa: E731
        self.cls = nn.ModuleList(make(self.anchors * self.classes) for _ in self.strides)
        self.box = nn.ModuleList(make(self.anchors * 4 * self.bins) for _ in self.strides)
        self.names = {index: f"thing {index}" for index in range(self.classes)}
        with torch.no_grad():
            for index in range(len(self.strides)):
                self.cls[index].weight.mul_(20 * 1.4**index)
                self.box[index].weight.mul_(8)

    def features(self, images: Tensor) -> list[Tensor]:
        maps = [self.stem(images).relu()]
        for conv in self.down:
            maps.append(conv(maps[-1]).relu())
        return maps

    def forward(self, images: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Feature maps, class logits (B, A * nc, h, w) and raw box outputs (B, A * 4 * bins, h, w), a level each."""
        maps = self.features(images)
        logits = [self.classes_out(i, conv(x)) for i, (conv, x) in enumerate(zip(self.cls, maps, strict=True))]
        raw = [self.boxes_out(i, conv(x)) for i, (conv, x) in enumerate(zip(self.box, maps, strict=True))]
        return maps, logits, raw

    def classes_out(self, level: int, made: Tensor) -> Tensor:
        return made

    def boxes_out(self, level: int, made: Tensor) -> Tensor:
        return made

    def declared_strides(self) -> tuple[int, ...]:
        """What the head tells of itself."""
        return self.strides

    def step(self, level: int) -> float:
        """The stride that boxes are decoded with."""
        return self.strides[level]

    def points(self, level: int, shape: tuple[int, int]) -> Tensor:
        """(2, h * w) xy px."""
        y, x = torch.meshgrid(torch.arange(shape[0]), torch.arange(shape[1]), indexing="ij")
        return (torch.stack((x, y)).flatten(1) + self.offset) * self.step(level)

    def sides(self, raw: Tensor) -> Tensor:
        """(4 * bins, n) as four distances (4, n) in strides."""
        if self.bins == 1:
            return softplus(raw)
        return (raw.unflatten(0, (4, self.bins)).softmax(1) * torch.arange(self.bins).view(-1, 1)).sum(1)

    def decode(self, level: int, raw: Tensor, shape: tuple[int, int]) -> Tensor:
        """(4 * bins, h * w * A) as (4, h * w * A) xyxy px."""
        point = self.points(level, shape).repeat_interleave(self.anchors, 1)
        return self.around(point, raw, self.step(level))

    def around(self, point: Tensor, raw: Tensor, stride: float) -> Tensor:
        side = self.sides(raw) * stride
        return torch.cat((point - side[:2], point + side[2:]))

    def describe_head(self) -> WatcherHead:
        return WatcherHead(self)


class ThreeLevels(Watcher):
    name, strides = "three levels", (8, 16, 32)


class FromCorners(Watcher):
    name, offset = "from the corners of cells", 0.0


class Binned(Watcher):
    name, bins = "bins", 6


class TwoAnchors(Watcher):
    name, anchors = "two anchors a cell", 2


class WideSight(Watcher):
    """Cells that see their neighbours too."""

    name, kernel = "wide sight", 3


class CoarseLevels(Watcher):
    name, strides = "coarse levels", (16, 32)


class CentreAndSize(Watcher):
    """The centre by a sigmoid within the cell, the size by an exponential, as YOLOX and YOLOv5 have it."""

    name, offset = "centre and size", 0.0

    def around(self, point, raw, stride):
        centre = point + (raw[:2] * 0.2).sigmoid() * stride
        size = (raw[2:] * 0.2).exp() * stride
        return torch.cat((centre - size / 2, centre + size / 2))


WATCHERS = {
    kind.name: kind
    for kind in (Watcher, ThreeLevels, FromCorners, Binned, TwoAnchors, WideSight, CoarseLevels, CentreAndSize)
}
