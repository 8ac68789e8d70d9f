"""The encoders with one named fault each: what a fault changes, and the code that the doctor must give it."""

from functools import cache
from hashlib import blake2b

import torch

from tests.diagnosis.doctor.encoders import CLASSES, STRIDES, Style

MOST = 8000
"""Choices of cells that are kept."""


class Encoder:
    """An encoder in one style, with any of the faults below; called as ``encode(boxes, labels, image_size)``."""

    def __init__(self, style: Style, *faults: str):
        self.style, self.faults, self.buffers = style, set(faults), {}

    def has(self, name: str) -> bool:
        return name in self.faults

    def __call__(self, boxes, labels, image_size):
        height, width = image_size
        if self.has("size unpacked backwards"):
            width, height = image_size
        if self.has("boxes read as y, x"):
            boxes = boxes[:, [1, 0, 3, 2]]
        if self.has("last object forgotten when there are several") and len(boxes) > 1:
            boxes, labels = boxes[:-1], labels[:-1]
        grids = [(int(height / s), int(width / s)) for s in STRIDES]
        strides = list(STRIDES)
        if self.has("middle level uses the finest stride"):
            strides[1] = STRIDES[0]
        points = self.points(grids, strides)
        masks = [torch.zeros(0, *g) > 0 for g in grids]
        if len(boxes):
            masks = chosen(self.style.masks, boxes, points, strides)
        levels = []
        for index, (grid, stride, level, mask) in enumerate(zip(grids, strides, points, masks, strict=True)):
            owner = self.owner(boxes, mask)
            levels.append(self.write(index, grid, stride, level, mask, owner, boxes, labels, image_size))
        return levels[::-1] if self.has("levels returned coarse first") else levels

    def points(self, grids, strides):
        shift = 0.0 if self.has("anchor points at the corners of cells") else 0.5
        return [points_of(*grid, stride, shift) for grid, stride in zip(grids, strides, strict=True)]

    def owner(self, boxes, mask):
        """(h, w): the index of the object that each cell belongs to, -1 for none."""
        if not len(boxes):
            return torch.full(mask.shape[1:], -1)
        key = id(mask), self.style.winner
        if key not in OWNERS:
            OWNERS[key] = mask, winners(boxes, mask, self.style.winner)
            bound(OWNERS)
        return OWNERS[key][1]

    def write(self, index, grid, stride, points, mask, owner, boxes, labels, image_size):
        layout = self.style.layout
        target = self.empty(index, (layout.channels, *grid))
        rows, columns = torch.nonzero(owner >= 0, as_tuple=True)
        owners = owner[rows, columns]
        if not len(owners):
            return self.finish(target)
        values = self.values(boxes[owners], points[rows, columns], columns, rows, stride, image_size)
        if self.has("cell written at [x, y]"):
            rows, columns = columns, rows
        if self.has("column one too far"):
            columns = columns + 1
            kept = columns < grid[1]
            rows, columns, owners, values = rows[kept], columns[kept], owners[kept], values[kept]
        if self.has("neighbour of the last cell looked up") and len(rows):
            target[0, int(rows.max()) + 1, int(columns.max()) + 1]
        target[:4, rows, columns] = values.T
        if layout.objectness is not None and not self.has("objectness forgotten"):
            target[layout.objectness, rows, columns] = 1
        chosen = labels[owners]
        if self.has("class index one too high"):
            chosen = (chosen + 1) % CLASSES
        if self.has("class of the object listed before"):
            chosen = labels[(owners - 1) % len(labels)]
        target[layout.class_channels[0] + chosen, rows, columns] = 1
        if self.has("classes of earlier objects kept") and len(boxes) > 1:
            for other in labels:
                target[layout.class_channels[0] + other, rows, columns] = 1
        if self.has("both classes set in a shared cell"):
            for one, label in zip(mask, labels, strict=True):
                target[layout.class_channels[0] + label, one] = 1
        return self.finish(target)

    def empty(self, index, shape):
        if self.has("buffer not cleared"):
            return self.buffers.setdefault((index, shape), torch.zeros(shape))
        return torch.zeros(shape)

    def finish(self, target):
        if self.has("channels last, then viewed"):
            target = target.permute(1, 2, 0).contiguous().view(target.shape)
        return target

    def values(self, boxes, points, columns, rows, stride, image_size):
        """(k, 4) box channels as the layout declares them."""
        layout, (height, width) = self.style.layout, image_size
        form, unit = layout.format, layout.unit
        if self.has("another unit"):
            unit = {"px": "normalized", "stride": "px", "normalized": "px"}[unit]
        if self.has("another format"):
            form = {"ltrb": "xyxy", "cxcywh": "xywh", "xyxy": "cxcywh"}[form]
        scale = {"px": (1, 1), "stride": (stride, stride), "normalized": (width, height)}[unit]
        low, high = boxes[:, :2], boxes[:, 2:]
        anchor = torch.stack((columns, rows), -1) + layout.grid_offset
        if self.has("anchor points at the corners of cells") and layout.grid_offset:
            anchor = anchor - 0.5
        anchor = anchor * stride
        centre, size = (low + high) / 2, high - low
        if self.has("logarithm of a size of nothing"):
            size = torch.where(size < 30, (size - size).log() + size, size)
            low, high = centre - size / 2, centre + size / 2
        base = anchor if layout.relative else 0
        if form == "ltrb":
            values = torch.cat((anchor - low, high - anchor), -1)
        elif form == "xyxy":
            values = torch.cat((low - base, high - base), -1)
        else:
            first = (low if form == "xywh" else centre) - base
            if self.has("offset clamped") and form == "cxcywh":
                clamped = (centre / stride).clamp(0, 1) * stride
                first = clamped if layout.relative else clamped + anchor - layout.grid_offset * stride
            values = torch.cat((first, size), -1)
        return values / torch.tensor(scale * 2)


CHOSEN: dict[tuple, list[torch.Tensor]] = {}
"""Masks by what they were asked for: encoders of one style choose alike, whatever their fault."""
OWNERS: dict[tuple, tuple[torch.Tensor, torch.Tensor]] = {}
"""A mask and its owners, by the mask's identity and who wins."""


def bound(kept):
    """Forget the first of what is kept where that is too much."""
    if len(kept) > MOST:
        del kept[next(iter(kept))]


def chosen(masks, boxes, points, strides):
    """The cells that a style chooses for boxes; not to be written to."""
    told = blake2b(digest_size=16)
    for part in (boxes, *points):
        told.update(part.contiguous().numpy().data)
    question = masks, len(boxes), tuple(level.shape for level in points), tuple(strides), told.digest()
    if question not in CHOSEN:
        CHOSEN[question] = masks(boxes, points, strides)
        bound(CHOSEN)
    return CHOSEN[question]


def winners(boxes, mask, winner):
    """(h, w): the index of the object that wins each cell of masks (n, h, w), -1 for none; not to be written to."""
    if winner == "smallest":
        area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)[:, None, None]
        best = torch.where(mask, area, torch.inf).argmin(0)
    else:
        best = len(boxes) - 1 - mask.flip(0).int().argmax(0)
    return torch.where(mask.any(0), best, -1)


@cache
def points_of(rows, columns, stride, shift):
    """(rows, columns, 2): the xy px of each cell's point; not to be written to."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return (torch.stack((x, y), -1) + shift) * stride


DEVELOPED = {
    "cell written at [x, y]": "axes_swapped",
    "boxes read as y, x": "axes_swapped",
    "middle level uses the finest stride": "wrong_stride",
    "levels returned coarse first": "levels_reversed",
    "anchor points at the corners of cells": "half_cell_offset",
    "column one too far": "off_by_one_cell",
    "another unit": "wrong_box_unit",
    "another format": "wrong_box_format",
    "channels last, then viewed": "scrambled_layout",
    "size unpacked backwards": "image_size_swapped",
    "class index one too high": "class_wrong",
    "last object forgotten when there are several": "object_lost",
    "classes of earlier objects kept": "class_leak",
    "both classes set in a shared cell": "class_leak",
    "class of the object listed before": "mixed_objects",
    "neighbour of the last cell looked up": "edge_crash",
    "buffer not cleared": "state_leak",
    "logarithm of a size of nothing": "non_finite",
    "offset clamped": "saturated_offset",
    "objectness forgotten": "objectness_wrong",
}


def applies(fault: str, style: Style) -> bool:
    """Whether a fault changes anything about this style."""
    if fault == "offset clamped":
        return style.layout.format == "cxcywh"
    if fault == "both classes set in a shared cell":
        return style.name != "tal"  # its assigner gives each cell to one object
    return fault != "objectness forgotten" or style.layout.objectness is not None
