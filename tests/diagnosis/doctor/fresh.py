"""Faults written after the last mend of the doctor and asked once; ``MIXED``: two at a time, both to be named.

A fault may have two names that are equally right; of a mixture all names are needed.
"""

from dataclasses import replace

import torch

from tests.diagnosis.doctor.encoders import CLASSES, STRIDES, Style
from tests.diagnosis.doctor.mutants import Encoder

SINGLE = {
    "finest level: box y and x, as from numpy": {"axes_swapped"},
    "middle level: cells at [x, y]": {"axes_swapped"},
    "width taken for both sides of the image": {"image_size_swapped", "wrong_box_unit"},
    "rows bounded by half the grid": {"object_lost"},
    "middle level believes in stride 20": {"wrong_stride"},
    "finest level believes in stride 4": {"wrong_stride"},
    "finest level: one column too far left": {"off_by_one_cell"},
    "all cells one too low and one too far right": {"off_by_one_cell"},
    "a cell taken off the boxes": {"off_by_one_cell"},
    "middle level: half a cell added to y": {"half_cell_offset"},
    "finest level: normalised": {"wrong_box_unit"},
    "boxes in hundredths": {"wrong_box_unit"},
    "sizes twice as large": {"wrong_box_unit", "wrong_box_format"},
    "corners x1, x2, y2, y1": {"wrong_box_format"},
    "middle level: sizes first": {"wrong_box_format"},
    "sides capped at 100 px": {"range_ceiling"},
    "x counted from the right": {"wrong_cell", "wrong_box"},
    "boxes scaled by 0.9": {"wrong_cell", "wrong_box"},
    "boxes rounded up to whole px": {"wrong_box"},
    "no more than five objects": {"object_lost"},
    "every second object dropped": {"object_lost"},
    "bottom row never filled": {"object_lost"},
    "coarsest level forgotten": {"level_unused", "object_lost"},
    "labels two too high": {"class_wrong"},
    "classes in pairs exchanged": {"class_wrong"},
    "previous class half set as well": {"class_leak"},
    "class 0 everywhere": {"class_leak"},
    "objectness missing on the coarsest level": {"objectness_wrong"},
    "objectness one row too low": {"objectness_wrong"},
    "box of the first object": {"mixed_objects"},
    "boxes shifted by the number of the call": {"state_leak"},
    "answer kept for the image size": {"state_leak"},
    "boxes made whole in place": {"state_leak"},
    "objects at the bottom raise": {"edge_crash"},
    "more than seven objects raise": {"raises"},
    "infinite for tall boxes": {"non_finite"},
    "double batch dimension": {"wrong_output"},
}

MIXED = {
    ("labels two too high", "corners x1, x2, y2, y1"): {"class_wrong", "wrong_box_format"},
    ("all cells one too low and one too far right", "boxes in hundredths"): {"off_by_one_cell", "wrong_box_unit"},
    ("middle level: cells at [x, y]", "class 0 everywhere"): {"axes_swapped", "class_leak"},
    ("sides capped at 100 px", "classes in pairs exchanged"): {"range_ceiling", "class_wrong"},
    ("boxes made whole in place", "finest level believes in stride 4"): {"state_leak", "wrong_stride"},
    ("no more than five objects", "finest level: normalised"): {"object_lost", "wrong_box_unit"},
}

FRESH = {**SINGLE, **MIXED}
LAYOUTS = {
    "width taken for both sides of the image": {"unit": "normalized"},
    "finest level: normalised": {"unit": "px"},
    "boxes in hundredths": {"unit": "px"},
    "sizes twice as large": {"format": "cxcywh"},
    "middle level: sizes first": {"format": "xywh"},
}
NAMES = ("yolov8", "yolox", "fcos", "yolov5", "yolov3")


def dress(fault: str | tuple[str, ...], style: Style) -> Style | None:
    """The style with the layout that a fault needs; None where the fault changes nothing."""
    names = (fault,) if isinstance(fault, str) else fault
    needs = any("objectness" in name for name in names)
    if style.name not in NAMES or (needs and style.layout.objectness is None):
        return None
    changes = {key: value for name in names for key, value in LAYOUTS.get(name, {}).items()}
    return replace(style, layout=replace(style.layout, **changes))


class FreshEncoder(Encoder):
    """An encoder with any of the faults above."""

    calls = 0

    def __call__(self, boxes, labels, image_size):
        given, (height, width) = boxes, image_size
        boxes, labels = boxes.clone(), labels.clone()
        self.calls += 1
        if self.has("more than seven objects raise") and len(boxes) > 7:
            raise IndexError("index 7 is out of bounds for dimension 0 with size 7")
        if self.has("objects at the bottom raise") and len(boxes) and boxes[:, 3].max() > height - 2:
            raise IndexError("index out of range in self")
        if self.has("x counted from the right"):
            boxes = torch.stack((width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]), 1)
        if self.has("boxes scaled by 0.9"):
            boxes = boxes * 0.9
        if self.has("boxes rounded up to whole px"):
            boxes = boxes.ceil()
        if self.has("boxes shifted by the number of the call"):
            boxes = boxes + self.calls % 7
        if self.has("no more than five objects"):
            boxes, labels = boxes[:5], labels[:5]
        if self.has("every second object dropped"):
            boxes, labels = boxes[::2], labels[::2]
        if self.has("labels two too high"):
            labels = (labels + 2) % CLASSES
        if self.has("classes in pairs exchanged"):
            labels = labels ^ 1
        levels = super().__call__(boxes, labels, image_size)
        if self.has("boxes made whole in place"):
            given.round_()
        if self.has("answer kept for the image size") and len(boxes):
            levels = self.buffers.setdefault(image_size, levels)
        return [level[None, None] for level in levels] if self.has("double batch dimension") else levels

    def points(self, grids, strides):
        if self.has("middle level believes in stride 20"):
            strides[1] = 20
        if self.has("finest level believes in stride 4"):
            strides[0] = 4
        return super().points(grids, strides)

    def values(self, boxes, points, columns, rows, stride, image_size):
        layout = self.style.layout
        sides = torch.tensor([image_size[1], image_size[0]] * 2)
        unit = {"px": torch.ones(4), "stride": torch.ones(4) * stride, "normalized": sides}[layout.unit]
        sign = torch.tensor({"ltrb": [1.0, 1, -1, -1], "xyxy": [1.0, 1, 1, 1]}.get(layout.format, [1.0, 1, 0, 0]))
        finest, middle = stride == STRIDES[0], stride == STRIDES[1]
        if self.has("sides capped at 100 px") and layout.format != "ltrb":
            centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).clamp(max=100)
            boxes = torch.cat((centre - size / 2, centre + size / 2), 1)
        values = super().values(boxes, points, columns, rows, stride, image_size)
        if self.has("sides capped at 100 px") and layout.format == "ltrb":
            values = torch.minimum(values, 100 / unit)
        if self.has("finest level: box y and x, as from numpy") and finest:
            values = values[:, [1, 0, 3, 2]]
        if self.has("width taken for both sides of the image"):
            values = values * unit / image_size[1]
        if self.has("a cell taken off the boxes"):
            values = values - sign * stride / unit
        if self.has("middle level: half a cell added to y") and middle:
            values = values + sign * torch.tensor([0.0, 1, 0, 1]) * stride / 2 / unit
        if self.has("finest level: normalised") and finest:
            values = values / sides
        if self.has("boxes in hundredths"):
            values = values / 100
        if self.has("sizes twice as large"):
            values[:, 2:] *= 2
        if self.has("corners x1, x2, y2, y1"):
            values = values[:, [0, 2, 3, 1]]
        if self.has("middle level: sizes first") and middle:
            values = values[:, [2, 3, 0, 1]]
        if self.has("infinite for tall boxes"):
            values[(boxes[:, 3] - boxes[:, 1]) > 70, 3] = torch.inf
        if self.has("box of the first object") and self.first is not None:
            values = super().values(self.first.expand_as(boxes), points, columns, rows, stride, image_size)
        return values

    first = None

    def write(self, index, grid, stride, points, mask, owner, boxes, labels, image_size):
        layout, first = self.style.layout, self.style.layout.class_channels[0]
        self.first = boxes[:1] if len(boxes) > 1 else None
        target = super().write(index, grid, stride, points, mask, owner, boxes, labels, image_size)
        classes = target[first : first + CLASSES]
        if self.has("previous class half set as well"):
            classes.copy_(torch.maximum(classes, 0.6 * classes.roll(-1, 0)))
        if self.has("class 0 everywhere"):
            classes[0] = 1
        if self.has("objectness missing on the coarsest level") and index == 2:
            target[layout.objectness] = 0
        if self.has("objectness one row too low"):
            target[layout.objectness] = target[layout.objectness].roll(1, 0)
        if self.has("middle level: cells at [x, y]") and index == 1:
            turned, side = torch.zeros_like(target), min(grid)
            turned[:, :side, :side] = target[:, :side, :side].transpose(1, 2)
            target = turned
        if self.has("finest level: one column too far left") and index == 0:
            target = torch.cat((target[:, :, 1:], torch.zeros_like(target[:, :, :1])), 2)
        if self.has("all cells one too low and one too far right"):
            moved = torch.zeros_like(target)
            moved[:, 1:, 1:] = target[:, :-1, :-1]
            target = moved
        if self.has("rows bounded by half the grid"):
            target[:, grid[0] // 2 :] = 0
        if self.has("bottom row never filled"):
            target[:, -1] = 0
        if self.has("coarsest level forgotten") and index == 2:
            target = torch.zeros_like(target)
        return target
