"""The target encoder of a published detector that did not train, exactly as it was, with all its faults at once."""

from collections.abc import Callable
from typing import Any

import torch

STRIDES, CLASSES = (8, 16, 32), 6


def layout(make: Callable) -> Any:
    """What its decoder asks for: centre and size in px, nothing relative, points at the corners of cells."""
    return make(
        box=(0, 1, 2, 3),
        format="cxcywh",
        unit="px",
        relative=False,
        objectness=4,
        classes=tuple(range(5, 5 + CLASSES)),
        strides=STRIDES,
        grid_offset=0.5,
    )


def encode(boxes: torch.Tensor, labels: torch.Tensor, size: tuple[int, int]) -> list[torch.Tensor]:
    """A viewed grid in px, [x, y] cells on every level, absolute centres cut to a cell, shared cells added up."""
    levels = []
    for stride in STRIDES:
        n0, n1 = int(size[0] // stride), int(size[1] // stride)
        target = torch.zeros(5 + CLASSES + 1, n0, n1)
        y, x = torch.meshgrid((torch.arange(n0) + 0.5) * stride, (torch.arange(n1) + 0.5) * stride, indexing="ij")
        target[:2] = torch.stack((x, y), -1).view(2, n0, n1)
        target[2:4] = 0.001
        for (x1, y1, x2, y2), label in zip(
            torch.as_tensor(boxes).tolist(), torch.as_tensor(labels).tolist(), strict=True
        ):
            cx, cy, w, h = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
            i, j = int(cx // stride), int(cy // stride)
            target[0, i, j] += min(max(cx / stride, 0), 1)
            target[1, i, j] += min(max(cy / stride, 0), 1)
            target[2, i, j] = w
            target[3, i, j] = h
            target[4, i, j] = 1
            target[5 + label, i, j] = 1
        levels.append(target)
    return levels


ERRORS = ("axes_swapped", "scrambled_layout", "saturated_offset", "class_leak")
"""All of them are to be named, by errors."""
ALLOWED = ("image_size_swapped", "mixed_objects")
"""Errors that are right as well: the grid is made for (size[0] // s, size[1] // s) cells that are written as (x, y),
and the places of objects that share a cell are added up."""
WARNINGS = ("all_levels_assigned",)
