"""Faults written after the doctor was tuned on those of ``mutants.py``. First run: 120 of 136; mends followed."""

import torch

from tests.diagnosis.doctor.encoders import CLASSES, STRIDES, Style
from tests.diagnosis.doctor.mutants import Encoder

HELD_OUT = {
    "box x and y exchanged": "axes_swapped",
    "grid viewed instead of permuted": "scrambled_layout",
    "class channels last, then viewed": "scrambled_layout",
    "strides listed coarse first": "levels_reversed",
    "coarsest level believes in stride 64": "wrong_stride",
    "row one too low": "off_by_one_cell",
    "half a cell added to boxes": "half_cell_offset",
    "boxes clipped to the exchanged image size": "image_size_swapped",
    "boxes scaled by the exchanged image size": "image_size_swapped",
    "half of width and height written": "wrong_box_format",
    "cell written instead of the centre": "saturated_offset",
    "label 0 taken for background": "object_lost",
    "sizes between two ranges dropped": "object_lost",
    "every class up to the label set": "class_leak",
    "classes counted from the end": "class_wrong",
    "objectness set everywhere": "objectness_wrong",
    "box of the next object": "mixed_objects",
    "argument changed in place": "state_leak",
    "infinite size of large objects": "non_finite",
    "index wraps round at the left": "edge_crash",
    "empty image raises": "raises",
    "one level missing": "wrong_output",
    "integers returned": "wrong_output",
    "grid taken to be square": "wrong_output",
}


def fits(fault: str, style: Style) -> bool:
    """Whether a fault changes anything about this style."""
    if fault in ("cell written instead of the centre", "half of width and height written"):
        return style.layout.format == "cxcywh"
    return fault != "objectness set everywhere" or style.layout.objectness is not None


class LateEncoder(Encoder):
    """An encoder with one of the faults above."""

    def __call__(self, boxes, labels, image_size):
        given, (height, width) = boxes, image_size
        if self.has("empty image raises") and not len(boxes):
            raise IndexError("max(): expected a non-empty tensor")
        if self.has("boxes clipped to the exchanged image size"):
            boxes = boxes.clamp(max=torch.tensor([height, width, height, width]))
        if self.has("boxes scaled by the exchanged image size"):
            boxes = boxes / torch.tensor([width, height] * 2) * torch.tensor([height, width] * 2)
        if self.has("label 0 taken for background"):
            boxes, labels = boxes[labels > 0], labels[labels > 0]
        if self.has("sizes between two ranges dropped"):
            side = (boxes[:, 2:] - boxes[:, :2]).prod(-1).sqrt()
            kept = (side < 30) | (side > 50)
            boxes, labels = boxes[kept], labels[kept]
        if self.has("grid taken to be square"):
            image_size = height, height
        levels = super().__call__(boxes, labels, image_size)
        if self.has("argument changed in place"):
            given /= STRIDES[0]
        if self.has("one level missing"):
            return levels[:-1]
        return [level.long() for level in levels] if self.has("integers returned") else levels

    def points(self, grids, strides):
        if self.has("strides listed coarse first"):
            strides[:] = strides[::-1]
        if self.has("coarsest level believes in stride 64"):
            strides[-1] = 64
        return super().points(grids, strides)

    def values(self, boxes, points, columns, rows, stride, image_size):
        layout, rows_of = self.style.layout, rows
        values = super().values(boxes, points, columns, rows, stride, image_size)
        unit = {"px": 1.0, "stride": stride, "normalized": torch.tensor([image_size[1], image_size[0]])}[layout.unit]
        sign = torch.tensor([1.0, 1, -1, -1]) if layout.format == "ltrb" else torch.tensor([1.0, 1, 0, 0])
        sign = torch.ones(4) if layout.format == "xyxy" else sign
        if self.has("half a cell added to boxes"):
            values = values + sign * (torch.ones(2) * stride / 2 / unit).repeat(2)
        if self.has("grid viewed instead of permuted"):
            height, width = (int(side / STRIDES[self.level(stride)]) for side in image_size)
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            grid = torch.stack((x, y), -1).view(2, height, width)
            moved = (grid[:, rows_of, columns].T - torch.stack((columns, rows_of), -1)) * stride / unit
            values = values + (-sign if layout.relative else sign) * moved.repeat(1, 2)
        if self.has("half of width and height written"):
            values[:, 2:] /= 2
        if self.has("cell written instead of the centre"):
            corner = 0 if layout.relative else torch.stack((columns, rows_of), -1) * stride / unit
            values[:, :2] = corner
        if self.has("infinite size of large objects"):
            values[(boxes[:, 2] - boxes[:, 0]) > 60, 2] = torch.inf
        if self.has("box x and y exchanged"):
            values = values[:, [1, 0, 3, 2]]
        return values

    @staticmethod
    def level(stride):
        return STRIDES.index(stride)

    def write(self, index, grid, stride, points, mask, owner, boxes, labels, image_size):
        layout, first = self.style.layout, self.style.layout.class_channels[0]
        if self.has("every class up to the label set") or self.has("classes counted from the end"):
            target = super().write(index, grid, stride, points, mask, owner, boxes, labels, image_size)
            held = owner >= 0
            if self.has("classes counted from the end"):
                target[first : first + CLASSES] = target[first : first + CLASSES].flip(0)
            for channel in range(CLASSES if len(boxes) and held.any() else 0):
                if self.has("every class up to the label set"):
                    target[first + channel, held] = (labels[owner[held]] >= channel).float()
            return target
        target = super().write(index, grid, stride, points, mask, owner, boxes, labels, image_size)
        if self.has("row one too low"):
            target = torch.cat((target[:, 1:], torch.zeros_like(target[:, :1])), 1)
        if self.has("objectness set everywhere"):
            target[layout.objectness] = 1
        if self.has("index wraps round at the left") and len(boxes):
            rows, columns = torch.nonzero(owner >= 0, as_tuple=True)
            edge = columns == 0
            target[:, rows[edge], columns[edge] - 1] = target[:, rows[edge], columns[edge]]
        if self.has("box of the next object") and len(boxes) > 1:
            rows, columns = torch.nonzero(owner >= 0, as_tuple=True)
            others = boxes[(owner[rows, columns] + 1) % len(boxes)]
            if len(rows):
                target[:4, rows, columns] = self.values(others, points, columns, rows, stride, image_size).T
        if self.has("class channels last, then viewed"):
            part = target[first : first + CLASSES]
            target[first : first + CLASSES] = part.permute(1, 2, 0).contiguous().view(part.shape)
        return target
