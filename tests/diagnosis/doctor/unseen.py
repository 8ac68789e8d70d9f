"""Faults written without reading the doctor, frozen with their codes before the first run.

A fault may have two names that are equally right. Some need a layout of their own, which ``dress`` gives the style.
"""

from dataclasses import replace

import torch
from torch.nn.functional import max_pool2d

from tests.diagnosis.doctor.encoders import CLASSES, STRIDES, Style
from tests.diagnosis.doctor.mutants import Encoder

UNSEEN = {
    "coarsest level: box x and y exchanged": {"axes_swapped"},
    "grid built width first": {"axes_swapped", "wrong_output"},
    "columns bounded by the number of rows": {"image_size_swapped", "object_lost"},
    "normalised by the height alone": {"wrong_box_unit", "image_size_swapped"},
    "normalised by a fixed 640": {"wrong_box_unit"},
    "normalised twice": {"wrong_box_unit"},
    "every level believes in twice its stride": {"wrong_stride"},
    "strides 8, 16, 24": {"wrong_stride"},
    "finest stride divides the boxes of every level": {"wrong_box_unit", "wrong_stride"},
    "large objects to the finest level": {"levels_reversed"},
    "middle and coarsest level exchanged in the list": {"levels_reversed", "wrong_output"},
    "anchor points at the far corners of cells": {"half_cell_offset"},
    "cells rounded instead of cut": {"half_cell_offset"},
    "grid by linspace over the image": {"half_cell_offset", "wrong_stride"},
    "coarsest level: half a cell added to boxes": {"half_cell_offset"},
    "coarsest level: one row too far": {"off_by_one_cell"},
    "coarsest level: another format": {"wrong_box_format"},
    "middle level in px": {"wrong_box_unit"},
    "x1, x2, y1, y2": {"wrong_box_format"},
    "second half of the box first": {"wrong_box_format"},
    "logarithm of the sizes": {"wrong_box_format", "wrong_box_unit"},
    "square root of the sizes": {"wrong_box_format", "wrong_box_unit"},
    "offset from the cell for the position": {"wrong_box_format", "wrong_box_unit"},
    "sides capped at four strides": {"range_ceiling"},
    "coordinates cut to whole pixels": {"wrong_box"},
    "coordinates in bfloat16": {"wrong_box"},
    "y counted from the bottom": {"wrong_cell", "wrong_box"},
    "padding of the letterbox counted twice": {"wrong_cell", "wrong_box"},
    "objects after the tenth dropped": {"object_lost"},
    "one object of a class kept": {"object_lost"},
    "objects that touch the border dropped": {"object_lost"},
    "largest object wins": {"object_lost"},
    "finest level forgotten": {"level_unused", "object_lost"},
    "background takes channel 0": {"class_wrong"},
    "last class has no channel": {"class_wrong", "object_lost"},
    "label smoothing of empty cells": {"class_leak"},
    "last class stands for empty cells": {"class_leak"},
    "class spread to the cells around": {"class_leak"},
    "labels one too low, cut at 0": {"class_wrong"},
    "objectness on the finest level alone": {"objectness_wrong"},
    "objectness inverted": {"objectness_wrong"},
    "shared cells: box of one, class of the other": {"mixed_objects"},
    "labels changed in place": {"state_leak"},
    "targets of the call before": {"state_leak"},
    "objects of earlier calls kept": {"state_leak"},
    "result cached by the number of objects": {"state_leak"},
    "random jitter left on": {"state_leak", "wrong_box"},
    "grid of the first call kept": {"state_leak", "wrong_output"},
    "objects at the top left raise": {"edge_crash"},
    "one object alone raises": {"raises"},
    "NaN for a box without width": {"non_finite"},
    "channels last": {"wrong_output"},
}

LAYOUTS = {
    "normalised by the height alone": {"unit": "normalized"},
    "normalised by a fixed 640": {"unit": "normalized"},
    "normalised twice": {"unit": "normalized"},
    "finest stride divides the boxes of every level": {"unit": "stride"},
    "middle level in px": {"unit": "stride"},
    "logarithm of the sizes": {"format": "cxcywh"},
    "square root of the sizes": {"format": "cxcywh"},
    "offset from the cell for the position": {"format": "cxcywh", "relative": False},
}
ONLY = {
    "large objects to the finest level": ("fcos", "yolov5", "yolov3"),  # the others use every level for every size
    "grid by linspace over the image": ("yolov8", "yolox", "fcos", "tal"),  # the others know no anchor points
    "largest object wins": ("yolov8", "fcos"),  # in the others a small object shares no or all of its cells
    "class spread to the cells around": ("yolox", "fcos", "yolov5", "yolov3"),
    "shared cells: box of one, class of the other": ("yolov8", "yolox", "fcos", "yolov5", "yolov3"),
}


def dress(fault: str, style: Style) -> Style | None:
    """The style with the layout that a fault needs; None where the fault changes nothing."""
    if style.name not in ONLY.get(fault, (style.name,)) or ("objectness" in fault and style.layout.objectness is None):
        return None
    return replace(style, layout=replace(style.layout, **LAYOUTS.get(fault, {})))


class UnseenEncoder(Encoder):
    """An encoder with one of the faults above."""

    def __init__(self, style: Style, *faults: str):
        super().__init__(style, *faults)
        self.generator = torch.Generator().manual_seed(0)
        masks = style.masks
        if self.has("large objects to the finest level"):
            self.style = replace(style, masks=lambda b, p, s: masks(b, p[::-1], s[::-1])[::-1])

    def __call__(self, boxes, labels, image_size):
        given = labels
        if self.has("one object alone raises") and len(boxes) == 1:
            raise TypeError("iteration over a 0-d tensor")
        if self.has("objects at the top left raise") and len(boxes) and (boxes[:, :2].amax(1) < 4).any():
            raise IndexError("index -1 is out of bounds")
        boxes, labels = self.moved(boxes, image_size), labels.clone()
        boxes, labels = self.kept(boxes, labels, image_size)
        if self.has("grid of the first call kept"):
            image_size = self.buffers.setdefault("size", image_size)
        if self.has("labels changed in place"):
            given += 1
        levels = super().__call__(boxes, labels, image_size)
        if self.has("NaN for a box without width") and len(boxes) and (boxes[:, 2] == boxes[:, 0]).any():
            levels = [level * torch.nan for level in levels]
        if self.has("targets of the call before"):
            before = self.buffers.get(image_size, [torch.zeros_like(level) for level in levels])
            self.buffers[image_size], levels = levels, before
        if self.has("result cached by the number of objects"):
            levels = self.buffers.setdefault((image_size, len(boxes)), levels)
        if self.has("grid built width first"):
            levels = [level.transpose(1, 2).contiguous() for level in levels]
        if self.has("middle and coarsest level exchanged in the list"):
            levels = [levels[0], levels[2], levels[1]]
        return [level.permute(1, 2, 0) for level in levels] if self.has("channels last") else levels

    def moved(self, boxes, image_size):
        """The boxes as the fault sees them."""
        height, width = image_size
        if self.has("coordinates cut to whole pixels"):
            boxes = boxes.long().float()
        if self.has("coordinates in bfloat16"):
            boxes = boxes.bfloat16().float()
        if self.has("y counted from the bottom"):
            boxes = torch.stack((boxes[:, 0], height - boxes[:, 3], boxes[:, 2], height - boxes[:, 1]), 1)
        if self.has("padding of the letterbox counted twice"):
            side = max(height, width)
            boxes = boxes + torch.tensor([(side - width) / 2, (side - height) / 2] * 2)
        if self.has("random jitter left on"):
            boxes = boxes + torch.randn(boxes.shape, generator=self.generator)
        return boxes

    def kept(self, boxes, labels, image_size):
        """The objects that the fault leaves."""
        height, width = image_size
        if self.has("objects of earlier calls kept"):
            old, names = self.buffers.get("objects", (boxes[:0], labels[:0]))
            boxes, labels = torch.cat((old, boxes)), torch.cat((names, labels))
            self.buffers["objects"] = boxes, labels
        if self.has("objects after the tenth dropped"):
            boxes, labels = boxes[:10], labels[:10]
        kept = torch.ones(len(boxes), dtype=torch.bool)
        if self.has("one object of a class kept"):
            last = {int(label): index for index, label in enumerate(labels)}
            kept = torch.tensor([last[int(label)] == index for index, label in enumerate(labels)], dtype=torch.bool)
        if self.has("objects that touch the border dropped"):
            kept = (boxes[:, :2].amin(1) > 0) & (boxes[:, 2] < width) & (boxes[:, 3] < height)
        return boxes[kept], labels[kept]

    def points(self, grids, strides):
        if self.has("every level believes in twice its stride"):
            strides[:] = [2 * stride for stride in strides]
        if self.has("strides 8, 16, 24"):
            strides[2] = 24
        found = super().points(grids, strides)
        if self.has("anchor points at the far corners of cells"):
            found = [level + stride / 2 for level, stride in zip(found, strides, strict=True)]
        if self.has("cells rounded instead of cut"):
            found = [level - stride / 2 for level, stride in zip(found, strides, strict=True)]
        if self.has("grid by linspace over the image"):
            found = []
            for (rows, columns), stride in zip(grids, strides, strict=True):
                y, x = torch.linspace(0, rows * stride, rows), torch.linspace(0, columns * stride, columns)
                found.append(torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], -1))
        return found

    def owner(self, boxes, mask):
        if not self.has("largest object wins") or not len(boxes):
            return super().owner(boxes, mask)
        area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)[:, None, None]
        return torch.where(mask.any(0), torch.where(mask, area, -1.0).argmax(0), -1)

    def values(self, boxes, points, columns, rows, stride, image_size):
        layout = self.style.layout
        form, sides = layout.format, torch.tensor([image_size[1], image_size[0]] * 2)
        unit = {"px": torch.ones(4), "stride": torch.ones(4) * stride, "normalized": sides}[layout.unit]
        coarsest, middle = stride == STRIDES[2], stride == STRIDES[1]
        if self.has("sides capped at four strides") and form != "ltrb":
            centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).clamp(max=4 * stride)
            boxes = torch.cat((centre - size / 2, centre + size / 2), 1)
        self.faults |= {"another format"} if self.has("coarsest level: another format") and coarsest else set()
        values = super().values(boxes, points, columns, rows, stride, image_size)
        self.faults.discard("another format")
        cell = (torch.stack((columns, rows), -1) + layout.grid_offset) * stride
        sign = torch.tensor({"ltrb": [1.0, 1, -1, -1], "xyxy": [1.0, 1, 1, 1]}.get(form, [1.0, 1, 0, 0]))
        if self.has("sides capped at four strides") and form == "ltrb":
            values = torch.minimum(values, 4 * stride / unit)
        if self.has("anchor points at the far corners of cells") and form == "ltrb":
            values = values + sign * stride / 2 / unit
        if self.has("grid by linspace over the image") and form == "ltrb":
            values = values + sign * (points - cell).repeat(1, 2) / unit
        if self.has("coarsest level: half a cell added to boxes") and coarsest:
            values = values + sign * stride / 2 / unit
        if self.has("offset from the cell for the position"):
            values[:, :2] -= cell / unit[:2]
        if self.has("coarsest level: box x and y exchanged") and coarsest:
            values = values[:, [1, 0, 3, 2]]
        if self.has("x1, x2, y1, y2"):
            values = values[:, [0, 2, 1, 3]]
        if self.has("second half of the box first"):
            values = values[:, [2, 3, 0, 1]]
        if self.has("logarithm of the sizes"):
            values[:, 2:] = values[:, 2:].log()
        if self.has("square root of the sizes"):
            values[:, 2:] = values[:, 2:].sqrt()
        return values * self.factor(unit, stride, middle, image_size)

    def factor(self, unit, stride, middle, image_size):
        """What the fault multiplies a box by."""
        if self.has("normalised by the height alone"):
            return unit / image_size[0]
        if self.has("normalised by a fixed 640"):
            return unit / 640
        if self.has("normalised twice"):
            return 1 / unit
        if self.has("finest stride divides the boxes of every level"):
            return stride / STRIDES[0]
        return stride if self.has("middle level in px") and middle else 1

    def write(self, index, grid, stride, points, mask, owner, boxes, labels, image_size):
        layout, first = self.style.layout, self.style.layout.class_channels[0]
        target = super().write(index, grid, stride, points, mask, owner, boxes, labels, image_size)
        classes = target[first : first + CLASSES]
        if self.has("columns bounded by the number of rows"):
            target[:, :, grid[0] :] = 0
        if self.has("coarsest level: one row too far") and index == 2:
            target = torch.cat((torch.zeros_like(target[:, :1]), target[:, :-1]), 1)
        if self.has("finest level forgotten") and index == 0:
            target = torch.zeros_like(target)
        if self.has("background takes channel 0"):
            classes.copy_(torch.cat((torch.zeros_like(classes[:1]), classes[:-1])))
        if self.has("labels one too low, cut at 0"):
            merged = torch.maximum(classes[:1], classes[1:2])
            classes.copy_(torch.cat((merged, classes[2:], torch.zeros_like(merged))))
        if self.has("last class has no channel"):
            classes[-1] = 0
        if self.has("label smoothing of empty cells"):
            classes.mul_(0.9).add_(0.1 / CLASSES)
        if self.has("last class stands for empty cells"):
            classes[-1, owner < 0] = 1
        if self.has("class spread to the cells around"):
            classes.copy_(max_pool2d(classes[None], 3, 1, 1)[0])
        if self.has("objectness on the finest level alone") and index > 0:
            target[layout.objectness] = 0
        if self.has("objectness inverted"):
            target[layout.objectness] = 1 - target[layout.objectness]
        if self.has("shared cells: box of one, class of the other") and len(boxes) > 1:
            shared = mask.sum(0) > 1
            other = mask.int().argmax(0)
            last = len(boxes) - 1 - mask.flip(0).int().argmax(0)
            other = torch.where(other == owner, last, other)
            classes[:, shared] = 0
            rows, columns = torch.nonzero(shared, as_tuple=True)
            classes[labels[other[rows, columns]], rows, columns] = 1
        return target
