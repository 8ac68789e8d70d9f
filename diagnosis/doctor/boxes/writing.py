"""Outputs that hold known boxes at known cells, stored as a layout says."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..layout import TargetLayout
from ..storage import order
from .held import Held
from .terms import declared

Size = tuple[int, int]
"""Height and width of an image."""


def grids(layout: TargetLayout, size: Size) -> list[tuple[int, int]]:
    """Rows and columns of each level."""
    return [(int(size[0] / stride), int(size[1] / stride)) for stride in layout.strides]


def at_cells(
    layout: TargetLayout,
    level: int,
    size: Size,
    boxes: np.ndarray,
    cells: np.ndarray,
    values: np.ndarray | None = None,
) -> Held:
    """Boxes (n, 4) xyxy px at cells (n, 3) anchor, row, column of a level, with the channels (n, 4) that hold them."""
    count, here = len(boxes), cells[:, [2, 1]].astype(float)
    return Held(
        boxes=boxes,
        sizes=np.tile(np.array(size, float), (count, 1)),
        grids=np.tile(grids(layout, size)[level], (count, 1)),
        here=here,
        meant=here.copy(),
        priors=layout.priors(level)[cells[:, 0].astype(int)],
        others=_other_priors(layout, level, cells[:, 0].astype(int)),
        values=np.zeros((count, 4)) if values is None else values,
        ground=np.zeros((count, 4)),
        stride=layout.strides[level],
        strides=tuple(layout.strides),
    )


def _other_priors(layout: TargetLayout, level: int, anchors: np.ndarray) -> dict[str, np.ndarray]:
    """Sides of the priors of other levels, and of the next anchor of the cell."""
    if layout.anchors is None:
        return {}
    table = np.array(layout.anchors, float)
    pairs = {f"other level {other}": table[other][anchors] for other in range(len(table)) if other != level}
    if table.shape[1] > 1:
        pairs["other anchor, next"] = table[level][(anchors + 1) % table.shape[1]]
        pairs["other anchor, from the end"] = table[level][::-1][anchors]
    pairs = pairs or {"prior": table[level][anchors]}
    return {f"{name} {side}": pair[:, i] for name, pair in pairs.items() for i, side in enumerate(("width", "height"))}


def channels(layout: TargetLayout, level: int, size: Size, boxes: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(n, 4): what the box channels hold for these boxes at these cells."""
    held = at_cells(layout, level, size, boxes, cells)
    return np.stack([term.predict(held, i) for i, term in enumerate(declared(layout, level))], 1)


def every_cell(layout: TargetLayout, level: int, size: Size) -> np.ndarray:
    """(n, 3): anchor, row, column of all anchors of all cells, anchors first."""
    return np.indices((layout.anchor_count, *grids(layout, size)[level])).reshape(3, -1).T


def drawn(
    layout: TargetLayout, level: int, cells: np.ndarray, sides: float | np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """(n, 4) boxes with centres inside these cells (n, 3), about ``sides`` strides wide and high."""
    stride, count = layout.strides[level], len(cells)
    x, y = (cells[:, [2, 1]].T + rng.uniform(0.2, 0.8, (2, count))) * stride
    w, h = sides * stride * rng.uniform(0.7, 1.0, (2, count))
    if layout.format == "ltrb":  # the anchor point lies inside
        least = 2 * (np.abs(layout.grid_offset - 0.5) + 0.31) * stride
        w, h = np.maximum(w, least), np.maximum(h, least)
    return np.stack((x - w / 2, y - h / 2, x + w / 2, y + h / 2), 1)


def stored(levels: Sequence[np.ndarray], layout: TargetLayout) -> list[Tensor]:
    """Levels (B, A, C, H, W) as a batch of tensors in the layout's storage; one tensor in the list with ``NC``."""
    axes, found = layout.axes.removeprefix("B"), []
    for level in levels:
        dims = [1 + "ACHW".index(letter) for letter in order(layout)]
        array = np.ascontiguousarray(level.transpose(0, *dims))
        batch, anchors, count, rows, columns = level.shape
        shape = {
            "CHW": (batch, anchors * count, rows, columns),
            "AC,H,W": (batch, anchors * count, rows, columns),
            "HWC": (batch, rows, columns, anchors * count),
            "NC": (batch, -1, count),
            "LNC": (batch, -1, count),
        }.get(axes, array.shape)
        found.append(torch.tensor(array.reshape(shape), dtype=torch.float32))
    return [torch.cat(found, 1)] if axes == "NC" else found


def unstored(tensors: Sequence[Tensor], layout: TargetLayout, size: Size) -> list[Tensor]:
    """Tensors in the layout's storage, of whatever number of channels, as levels (B, A, C, H, W)."""
    axes, shapes = layout.axes.removeprefix("B"), grids(layout, size)
    if axes == "NC":
        counts = [layout.anchor_count * rows * columns for rows, columns in shapes]
        tensors = tensors[0].split(counts, 1)
    found = []
    for tensor, (rows, columns) in zip(tensors, shapes, strict=True):
        count = tensor.numel() // (len(tensor) * rows * columns * layout.anchor_count)
        known = {"A": layout.anchor_count, "C": count, "H": rows, "W": columns}
        memory = order(layout)
        full = tensor.reshape(len(tensor), *(known[letter] for letter in memory))
        found.append(full.permute(0, *(1 + memory.index(letter) for letter in "ACHW")))
    return found
