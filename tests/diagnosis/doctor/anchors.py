"""All anchors of a layout's levels, and how boxes lie to them: axis by axis, which is faster than over pairs."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import torch
from torch import Tensor

from diagnosis import TargetLayout


@dataclass(frozen=True)
class Places:
    """All anchors of all levels, flat: ``points`` (n, 2) px, ``priors`` (n, 2) px, ``stride`` (n,), ``level`` (n,).

    ``which`` (n,): the place of each prior among those of its level.
    """

    points: Tensor
    corners: Tensor
    priors: Tensor
    stride: Tensor
    level: Tensor
    which: Tensor

    @cached_property
    def boxes(self) -> Tensor:
        return torch.cat((self.points - self.priors / 2, self.points + self.priors / 2), 1)

    @cached_property
    def levels(self) -> Tensor:
        """(n,) int64."""
        return self.level.long()


def places(layout: TargetLayout, image_size) -> Places:
    """Rows, columns, anchors of each level, one after the other; not to be written to."""
    return _places(layout.strides, layout.grid_offset, layout.anchors, tuple(image_size))


@lru_cache(16)
def _places(strides, grid_offset, anchors, image_size) -> Places:
    found = []
    for level, stride in enumerate(strides):
        rows, columns = -(-image_size[0] // stride), -(-image_size[1] // stride)
        priors = torch.tensor(anchors[level] if anchors else [(stride, stride)], dtype=torch.float32)
        y, x, a = torch.meshgrid(torch.arange(rows), torch.arange(columns), torch.arange(len(priors)), indexing="ij")
        cell = torch.stack((x, y), -1).reshape(-1, 2).float()
        size = torch.full((len(cell),), float(stride))
        found.append(
            (
                (cell + grid_offset) * stride,
                cell * stride,
                priors[a.reshape(-1)],
                size,
                torch.full_like(size, level),
                a.reshape(-1),
            )
        )
    return Places(*(torch.cat(parts) for parts in zip(*found, strict=True)))


def overlaps(one: Tensor, other: Tensor) -> Tensor:
    """(n, m) IoU of xyxy boxes."""
    (a1, b1, a2, b2), (x1, y1, x2, y2) = one.T[..., None].unbind(), other.T.contiguous().unbind()
    width, height = torch.minimum(a2, x2) - torch.maximum(a1, x1), torch.minimum(b2, y2) - torch.maximum(b1, y1)
    shared = width.clamp_(min=0) * height.clamp_(min=0)
    return shared / ((a2 - a1) * (b2 - b1) + (x2 - x1) * (y2 - y1) - shared).clamp_(min=1e-9)


def centred(size: Tensor) -> Tensor:
    """Boxes of these sizes (n, 2) about the origin."""
    return torch.cat((-size / 2, size / 2), 1)


def sides(boxes: Tensor, points: Tensor) -> Tensor:
    """(n, m, 4): left, top, right, bottom distances of n boxes from m points."""
    return torch.cat((points[None] - boxes[:, None, :2], boxes[:, None, 2:] - points[None]), -1)


def centres(boxes: Tensor) -> Tensor:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def in_cell(boxes: Tensor, at: Places) -> Tensor:
    """(n, m): whether each centre lies in each anchor's cell."""
    x, y = away(centres(boxes), at.corners)
    return (x >= 0) & (x < at.stride) & (y >= 0) & (y < at.stride)


def away(middles: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """(n, m) each: how far n middles lie from m points along x, and along y."""
    (x, y), (u, v) = middles.T[..., None].unbind(), points.T.contiguous().unbind()
    return x - u, y - v


def reach_of(boxes: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """(n, m) each: the shortest and the longest of the distances of ``sides``."""
    (x1, y1, x2, y2), (u, v) = boxes.T[..., None].unbind(), points.T.contiguous().unbind()
    left, top, right, bottom = u - x1, v - y1, x2 - u, y2 - v
    least = torch.minimum(torch.minimum(left, top), torch.minimum(right, bottom))
    return least, torch.maximum(torch.maximum(left, top), torch.maximum(right, bottom))


def farther(middles: Tensor, points: Tensor) -> Tensor:
    """(n, m): how far n middles lie from m points, along the axis along which they lie farther."""
    x, y = away(middles, points)
    return torch.maximum(x.abs_(), y.abs_())
