"""Target encoders in the styles of well-known detectors, right ones, each of which can be given a named fault."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch

from diagnosis import TargetLayout

STRIDES = (8, 16, 32)
ANCHORS = (24.0, 72.0, 200.0)
RANGES = ((0.0, 64.0), (64.0, 128.0), (128.0, 1e9))
CLASSES = 6


@dataclass(frozen=True)
class Style:
    """One way to choose cells: ``masks(boxes, points, strides)`` gives (n, h, w) bool a level, and who wins a cell."""

    name: str
    layout: TargetLayout
    masks: Callable
    winner: str = "last"


def distances(boxes, points):
    """(n, h, w, 4): left, top, right, bottom distances in px from each anchor point to each box's sides."""
    low, high = points[None] - boxes[:, None, None, :2], boxes[:, None, None, 2:] - points[None]
    return torch.cat((low, high), -1)


def inside(boxes, points, strides):
    """YOLOv8's candidates: every anchor whose point lies in the box."""
    return [distances(boxes, level).amin(-1) > 0 for level in points]


def near_centre(boxes, points, strides):
    """YOLOX's centre sampling: every anchor less than 1.5 strides from the centre."""
    centre = (boxes[:, None, None, :2] + boxes[:, None, None, 2:]) / 2
    return [(level[None] - centre).abs().amax(-1) < 1.5 * stride for level, stride in zip(points, strides, strict=True)]


def by_range(boxes, points, strides):
    """FCOS: points in the box whose farthest side lies in the level's range."""
    found = []
    for level, (low, high) in zip(points, RANGES, strict=True):
        reach = distances(boxes, level)
        found.append((reach.amin(-1) > 0) & (reach.amax(-1) > low) & (reach.amax(-1) <= high))
    return found


def _at(grid, rows, columns):
    """A mask (n, h, w) with one cell an object, where that cell exists."""
    mask = torch.zeros(len(rows), *grid, dtype=torch.bool)
    there = (rows >= 0) & (rows < grid[0]) & (columns >= 0) & (columns < grid[1])
    mask[torch.arange(len(rows))[there], rows[there], columns[there]] = True
    return mask


def _cells(boxes, points, stride):
    """Centres in units of cells of this level's points, so that the whole part is the cell."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2 / stride + 0.5 - points[0, 0] / stride


def with_neighbours(boxes, points, strides):
    """YOLOv5: levels whose anchor fits within a factor of 4; the centre's cell and the two cells nearest to it."""
    found = []
    for level, stride, anchor in zip(points, strides, ANCHORS, strict=True):
        x, y = _cells(boxes, level, stride).unbind(-1)
        side = torch.where(x % 1 < 0.5, -1, 1), torch.where(y % 1 < 0.5, -1, 1)
        rows, columns = y.floor().long(), x.floor().long()
        mask = _at(level.shape[:2], rows, columns)
        mask |= _at(level.shape[:2], rows + side[1], columns) | _at(level.shape[:2], rows, columns + side[0])
        ratio = (boxes[:, 2:] - boxes[:, :2]) / anchor
        fits = torch.maximum(ratio, 1 / ratio.clamp(min=1e-9)).amax(-1) < 4
        found.append(mask & fits[:, None, None])
    return found


def best_anchor(boxes, points, strides):
    """YOLOv3: the one cell of the centre, on the level whose anchor overlaps the box's size most."""
    size = boxes[:, 2:] - boxes[:, :2]
    anchors = torch.tensor(ANCHORS)
    shared = torch.minimum(size[:, :1], anchors) * torch.minimum(size[:, 1:], anchors)
    overlap = shared / (size.prod(-1, keepdim=True) + anchors**2 - shared)
    best = overlap.argmax(-1)
    found = []
    for index, (level, stride) in enumerate(zip(points, strides, strict=True)):
        x, y = _cells(boxes, level, stride).floor().long().unbind(-1)
        found.append(_at(level.shape[:2], y, x) & (best == index)[:, None, None])
    return found


@cache
def task_aligned(predicted: str) -> Callable:
    """Ultralytics' own assigner, with predictions that say nothing or that are perfect."""
    from ultralytics.utils.tal import TaskAlignedAssigner

    def masks(boxes, points, strides):
        assigner = TaskAlignedAssigner(topk=10, num_classes=CLASSES, alpha=0.5, beta=6.0, stride=list(strides))
        flat = torch.cat([level.reshape(-1, 2) for level in points])
        near = (flat[:, None] - (boxes[None, :, :2] + boxes[None, :, 2:]) / 2).square().sum(-1).argmin(1)
        wide = torch.cat(
            [level.new_full((level[..., 0].numel(), 1), 2.5 * s) for level, s in zip(points, strides, strict=True)]
        )
        guess = boxes[near] if predicted == "perfect" else torch.cat((flat - wide, flat + wide), -1)
        scores = torch.full((1, len(flat), CLASSES), 0.5)
        *_, positive, index = assigner(
            scores, guess[None], flat, torch.zeros(1, len(boxes), 1), boxes[None], torch.ones(1, len(boxes), 1)
        )
        owned = (index[0][None] == torch.arange(len(boxes))[:, None]) & positive[0]
        parts = owned.split([level.shape[0] * level.shape[1] for level in points], dim=1)
        return [part.view(-1, *level.shape[:2]) for part, level in zip(parts, points, strict=True)]

    return masks


def styles() -> tuple[Style, ...]:
    """The right encoders, each with a layout of its own."""
    with_object, without = slice(5, 5 + CLASSES), slice(4, 4 + CLASSES)
    return (
        Style(
            "yolov8", TargetLayout(format="ltrb", unit="stride", objectness=None, classes=without), inside, "smallest"
        ),
        Style("yolox", TargetLayout(format="cxcywh", unit="px", classes=with_object), near_centre, "smallest"),
        Style("fcos", TargetLayout(format="ltrb", unit="px", classes=with_object), by_range, "smallest"),
        Style(
            "yolov5",
            TargetLayout(format="cxcywh", unit="stride", relative=True, grid_offset=0.0, classes=with_object),
            with_neighbours,
        ),
        Style("yolov3", TargetLayout(format="cxcywh", unit="normalized", classes=with_object), best_anchor),
        Style(
            "tal",
            TargetLayout(format="xyxy", unit="px", objectness=None, classes=without),
            task_aligned("uninformative"),
        ),
    )
