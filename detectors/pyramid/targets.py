"""What the network should have said: each object written into the cells of the one level that suits its size."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .outputs import points

STRIDES = (8, 16, 32)
LARGEST = (48.0, 96.0, float("inf"))
"""The longest side in px that belongs to each level: six strides, and no bound on the last level."""
RADIUS = 1.5
"""Centre sampling: only cells whose middle is within so many strides of the object's centre learn it (FCOS)."""


def layout(classes: int) -> dict:
    """What the channels of ``encode`` mean, as plain data: box distances left, top, right, bottom in px from the cell's
    middle, objectness, then one channel a class."""
    return {
        "box": (0, 1, 2, 3),
        "format": "ltrb",
        "unit": "px",
        "relative": False,
        "objectness": 4,
        "classes": tuple(range(5, 5 + classes)),
        "strides": STRIDES,
        "grid_offset": 0.5,
    }


def grid_shapes(image_size: tuple[int, int]) -> list[tuple[int, int]]:
    """Rows and columns of each level for an image of (height, width) px; ValueError unless both divide by 32."""
    if any(side <= 0 or side % STRIDES[-1] for side in image_size):
        raise ValueError(f"Height and width must be multiples of {STRIDES[-1]} px, but {tuple(image_size)} was given.")
    return [(image_size[0] // stride, image_size[1] // stride) for stride in STRIDES]


def encode(boxes: Tensor, labels: Tensor, image_size: tuple[int, int], classes: int) -> tuple[Tensor, ...]:
    """Targets of one image: (5 + classes, h, w) a level, as ``layout`` says; zero where there is no object.

    ``boxes`` (n, 4) xyxy px, ``labels`` (n,), ``image_size`` (height, width) px. A cell that two objects claim goes to
    the smaller one; an object that would be left without any cell gets the nearest that its rivals can spare.
    Raises ValueError for boxes without an area, labels out of range and sizes that do not divide by 32.
    """
    shapes = grid_shapes(image_size)
    boxes = torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    labels = torch.as_tensor(labels, dtype=torch.int64).reshape(-1)
    _check(boxes, labels, classes)
    middle, step = points(shapes, STRIDES, boxes)
    counts = [rows * cols for rows, cols in shapes]
    owner = claim(boxes, image_size).owner
    flat = torch.zeros(5 + classes, len(step))
    cells = (owner >= 0).nonzero().view(-1)
    won = owner[cells]
    flat[:2, cells] = middle[:, cells] - boxes[won, :2].T
    flat[2:4, cells] = boxes[won, 2:].T - middle[:, cells]
    flat[4, cells] = 1
    flat[5 + labels[won], cells] = 1
    return tuple(level.unflatten(1, shape) for level, shape in zip(flat.split(counts, 1), shapes, strict=True))


def level_of(boxes: Tensor) -> Tensor:
    """The level that each box (n, 4) belongs to, by its longest side."""
    longest = (boxes[:, 2:] - boxes[:, :2]).amax(1)
    return torch.bucketize(longest, torch.tensor(LARGEST[:-1]))


@dataclass(frozen=True)
class Claims:
    """Which object each of A cells belongs to, and how that came about. ``owner`` (A,) int64, -1 for none.

    Of every object with every cell, (n, A): ``inside``, is the cell on its level and its middle in its box; ``wanted``,
    is it near its centre as well; ``distance`` from there in strides, infinite on other levels.
    """

    owner: Tensor
    inside: Tensor
    wanted: Tensor
    distance: Tensor


def claim(boxes: Tensor, image_size: tuple[int, int]) -> Claims:
    """Shares the cells out among the boxes (n, 4) xyxy px of an image of (height, width) px."""
    shapes = grid_shapes(image_size)
    middle, step = points(shapes, STRIDES, boxes)
    level_of_cell = torch.repeat_interleave(torch.arange(len(shapes)), torch.tensor([h * w for h, w in shapes]))
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    offset = (middle[None] - centre[:, :, None]).abs() / step  # (n, 2, A)
    mine = level_of(boxes)[:, None] == level_of_cell[None]
    inside = mine & ((middle[None] > boxes[:, :2, None]) & (middle[None] < boxes[:, 2:, None])).all(1)
    wanted = inside & (offset < RADIUS).all(1)
    distance = offset.square().sum(1).sqrt().masked_fill(~mine, torch.inf)
    owner = torch.full_like(level_of_cell, -1)
    order = (boxes[:, 2:] - boxes[:, :2]).prod(1).argsort(descending=True, stable=True)
    for i in order:
        owner[wanted[i]] = i
    for i in order.flip(0):
        if (owner != i).all():
            owner[_spare(owner, distance[i])] = i
    return Claims(owner, inside, wanted, distance)


def _spare(owner: Tensor, distance: Tensor) -> Tensor:
    """The nearest cell that nobody owns, or whose owner has others."""
    held = torch.bincount(owner + 1)
    only = (owner >= 0) & (held[owner + 1] == 1)
    return distance.masked_fill(only, torch.inf).argmin()


def _check(boxes: Tensor, labels: Tensor, classes: int) -> None:
    if len(boxes) != len(labels):
        raise ValueError(f"Each box needs one label, but {len(boxes)} boxes and {len(labels)} labels were given.")
    if not torch.isfinite(boxes).all() or (boxes[:, 2:] <= boxes[:, :2]).any():
        raise ValueError("Boxes must be (left, top, right, bottom) px with right > left and bottom > top.")
    if len(labels) and not (int(labels.min()) >= 0 and int(labels.max()) < classes):
        raise ValueError(f"Labels must be 0 to {classes - 1}, but {int(labels.min())} to {int(labels.max())} came.")
