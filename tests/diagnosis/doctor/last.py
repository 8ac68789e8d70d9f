"""Faults that were written last. At their first run 86 of 97 mutants were named; two mends followed."""

import torch

from tests.diagnosis.doctor.encoders import CLASSES, Style
from tests.diagnosis.doctor.mutants import Encoder

LAST = {
    "finest level takes rows for columns": "axes_swapped",
    "box centre exchanged, size right": "axes_swapped",
    "grid listed column by column, viewed row by row": "scrambled_layout",
    "box channels last, then viewed": "scrambled_layout",
    "whole cell added to boxes": "off_by_one_cell",
    "finest level believes in stride 16": "wrong_stride",
    "sizes in another unit than positions": "wrong_box_unit",
    "corner of the box for its centre": "wrong_box_format",
    "right edge column left empty": "object_lost",
    "first object forgotten when there are several": "object_lost",
    "one class channel for all": "class_wrong",
    "next class set as well": "class_leak",
    "objectness only in the first row of cells": "objectness_wrong",
    "result changed by the next call": "state_leak",
    "objects at the right edge raise": "edge_crash",
    "NaN for wide objects": "non_finite",
    "one level too many": "wrong_output",
    "boxes averaged when several": "mixed_objects",
}


def fits(fault: str, style: Style) -> bool:
    """Whether a fault changes anything about this style."""
    if fault in ("box centre exchanged, size right", "corner of the box for its centre"):
        return style.layout.format == "cxcywh"
    if fault == "sizes in another unit than positions":
        return style.layout.format == "cxcywh"
    return "objectness" not in fault or style.layout.objectness is not None


class LastEncoder(Encoder):
    """An encoder with one of the faults above."""

    def __call__(self, boxes, labels, image_size):
        width = image_size[1]
        if self.has("objects at the right edge raise") and len(boxes) and boxes[:, 2].max() > width - 1:
            raise IndexError("index out of range")
        if self.has("first object forgotten when there are several") and len(boxes) > 1:
            boxes, labels = boxes[1:], labels[1:]
        levels = super().__call__(boxes, labels, image_size)
        if self.has("result changed by the next call"):
            kept = self.buffers.setdefault(image_size, levels)
            for old, new in zip(kept, levels, strict=True):
                old.copy_(new)
            return kept
        return [*levels, levels[-1]] if self.has("one level too many") else levels

    def points(self, grids, strides):
        if self.has("finest level believes in stride 16"):
            strides[0] = 16
        return super().points(grids, strides)

    def values(self, boxes, points, columns, rows, stride, image_size):
        layout = self.style.layout
        values = super().values(boxes, points, columns, rows, stride, image_size)
        sides = torch.tensor([image_size[1], image_size[0]] * 2)
        unit = {"px": torch.ones(4), "stride": torch.ones(4) * stride, "normalized": sides}[layout.unit]
        if self.has("whole cell added to boxes"):
            sign = {"ltrb": [1.0, 1, -1, -1], "xyxy": [1.0, 1, 1, 1]}.get(layout.format, [1.0, 1, 0, 0])
            values = values + torch.tensor(sign) * stride / unit
        if self.has("box centre exchanged, size right"):
            values = values[:, [1, 0, 2, 3]]
        if self.has("sizes in another unit than positions"):
            values[:, 2:] *= unit[2:] / (sides[2:] if layout.unit == "px" else 1)
        if self.has("corner of the box for its centre"):
            values[:, :2] -= values[:, 2:] / 2
        if self.has("NaN for wide objects"):
            values[(boxes[:, 2] - boxes[:, 0]) > 50] = torch.nan
        if self.has("boxes averaged when several") and len(boxes) > 1 and not (boxes == boxes[0]).all():
            values = values.mean(0, keepdim=True).expand_as(values)
        return values

    def write(self, index, grid, stride, points, mask, owner, boxes, labels, image_size):
        layout, first = self.style.layout, self.style.layout.class_channels[0]
        target = super().write(index, grid, stride, points, mask, owner, boxes, labels, image_size)
        if self.has("finest level takes rows for columns") and index == 0:
            target = torch.stack([self.turn(part) for part in target])
        if self.has("grid listed column by column, viewed row by row"):
            target = target.transpose(1, 2).reshape(target.shape)
        if self.has("box channels last, then viewed"):
            target[:4] = target[:4].permute(1, 2, 0).contiguous().view(target[:4].shape)
        if self.has("right edge column left empty"):
            target[:, :, -1] = 0
        if self.has("one class channel for all"):
            target[first : first + CLASSES] = (
                target[first : first + CLASSES].amax(0) * (torch.arange(CLASSES) == 0)[:, None, None]
            )
        if self.has("next class set as well"):
            part = target[first : first + CLASSES]
            target[first : first + CLASSES] = torch.maximum(part, part.roll(1, 0))
        if self.has("objectness only in the first row of cells"):
            target[layout.objectness, 1:] = 0
        return target

    @staticmethod
    def turn(part):
        """Rows for columns, as far as the grid reaches."""
        out, side = torch.zeros_like(part), min(part.shape)
        out[:side, :side] = part[:side, :side].T
        return out
