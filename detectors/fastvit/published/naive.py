"""The detector as it was published, unfinished: it trains, its objectness falls, and its boxes are nonsense.

Rebuilt from the description of its faults, as a teaching example; nothing of the repaired detector depends on it. Each
fault can be switched on by itself, so that a doctor can be tried on one at a time.
"""

import math
from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any, cast

import torch
from torch import Tensor
from torchvision.ops import complete_box_iou_loss, nms, sigmoid_focal_loss

from ...pyramid import targets
from ...pyramid.selection import CLASS_SHIFT, MAX_DETECTIONS, Candidate, above
from ..blocks import LevelOutput
from ..head import BINS, LevelHead, flat_logits
from ..loss import Losses
from ..model import FastViTDetector
from .description import NaiveHead

ENCODER_FAULTS = {
    "swapped_size": "image height and width are used one for the other",
    "viewed_grid": "the grid is built as (h, w, 2) and viewed, not permuted, as (2, h, w)",
    "transposed_cell": "the cell is written at [channel, x index, y index]",
    "absolute_offset": "the offset in the cell is the absolute centre in strides, clamped to [0, 1]: nearly always 1",
    "all_levels": "every object is written into every level, whatever its size",
    "shared_cell": "two objects in one cell overwrite each other's box and leave both classes set",
}
HEAD_FAULTS = {"bounded_size": "width and height are a mean of sigmoids times the stride: no box exceeds one cell"}
BATCH_FAULTS = {
    "reshaped_boxes": "(B, 4, N) is reshaped to (-1, 4) without a permute, which mixes the cells",
    "batch_nms": "suppression runs over the whole batch: images suppress each other's boxes",
}
FAULTS = ENCODER_FAULTS | HEAD_FAULTS | BATCH_FAULTS
NEARLY = 1e-4  # probabilities and sizes nearer to 0 or 1 have logits too large to tell apart


def layout(classes: int) -> dict:
    """What the channels of ``encode`` mean: centre and size in px of the image, objectness, one channel a class."""
    return targets.layout(classes) | {"format": "cxcywh", "grid_offset": 0.0}


def cell_grid(rows: int, cols: int, faults: Collection[str]) -> Tensor:
    """x and y of each cell in cells, (2, rows, cols)."""
    row, col = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    grid = torch.stack((row, col) if "transposed_cell" in faults else (col, row), 2).float()
    return grid.view(2, rows, cols) if "viewed_grid" in faults else grid.permute(2, 0, 1)


def encode(
    boxes: Tensor,
    labels: Tensor,
    image_size: tuple[int, int],
    classes: int,
    faults: Collection[str] = tuple(ENCODER_FAULTS),
) -> tuple[Tensor, ...]:
    """Targets of one image, (5 + classes, h, w) a level: one cell for each object, absolute centre and size in px.

    ``boxes`` (n, 4) xyxy px, ``labels`` (n,), ``image_size`` (height, width) px.
    """
    height, width = image_size
    boxes = torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    level_of_box = targets.level_of(boxes).tolist()
    whole = boxes.new_tensor((width, height))
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2 / whole, (boxes[:, 2:] - boxes[:, :2]) / whole
    if "swapped_size" in faults:
        height, width = width, height
    whole = boxes.new_tensor((width, height))
    centres, sizes = centres * whole, sizes * whole
    levels = []
    for index, stride in enumerate(targets.STRIDES):
        rows, cols = height // stride, width // stride
        grid = cell_grid(rows, cols, faults)
        target = torch.zeros(5 + classes, rows, cols)
        for centre, size, label, level in zip(
            centres, sizes, torch.as_tensor(labels).tolist(), level_of_box, strict=True
        ):
            if level != index and "all_levels" not in faults:
                continue
            taken = target[4].T if "transposed_cell" in faults else target[4]
            col, row = (int(value) for value in centre // stride)
            row, col = min(max(row, 0), rows - 1), min(max(col, 0), cols - 1)
            if "shared_cell" not in faults:
                row, col = _nearest_free(taken, row, col)
            cell = (col, row) if "transposed_cell" in faults else (row, col)
            steps = centre / stride
            inside = steps.clamp(0, 1) if "absolute_offset" in faults else steps - steps.new_tensor((col, row))
            target[:2, *cell] = (inside + grid[:, *cell]) * stride
            target[2:4, *cell] = size
            target[4, *cell] = 1
            target[5 + label, *cell] = 1
        levels.append(target)
    return tuple(levels)


def _nearest_free(taken: Tensor, row: int, col: int) -> tuple[int, int]:
    rows, cols = torch.meshgrid(*map(torch.arange, taken.shape), indexing="ij")
    distance = ((rows - row) ** 2 + (cols - col) ** 2).float().masked_fill(taken > 0, torch.inf)
    return divmod(int(distance.argmin()), taken.shape[1])


def decode(outputs: Sequence[LevelOutput], faults: Collection[str] = (*ENCODER_FAULTS, *HEAD_FAULTS)) -> Tensor:
    """Centre and size (B, 4, A) px of the network input."""
    levels = []
    for level, stride in zip(outputs, targets.STRIDES, strict=True):
        raw = level.boxes.float().unflatten(1, (4, BINS))
        centre = raw[:, :2].sigmoid().mean(2) + cell_grid(raw.shape[3], raw.shape[4], faults).to(raw)
        size = raw[:, 2:].sigmoid().mean(2) if "bounded_size" in faults else raw[:, 2:].mean(2).exp()
        levels.append((torch.cat((centre, size), 1) * stride).flatten(2))
    return torch.cat(levels, 2)


def raw(wanted: Sequence[Tensor], faults: Collection[str] = tuple(HEAD_FAULTS)) -> list[LevelOutput]:
    """The outputs that a right decoder turns into these targets (B, 5 + nc, h, w) a level, as near as the head can."""
    found = []
    for level, stride in zip(wanted, targets.STRIDES, strict=True):
        inside = level[:, :2] / stride - cell_grid(level.shape[2], level.shape[3], ())
        inside = inside.clamp(NEARLY, 1 - NEARLY).logit()
        size = (level[:, 2:4] / stride).clamp(min=NEARLY)
        size = size.clamp(max=1 - NEARLY).logit() if "bounded_size" in faults else size.log()
        boxes = torch.cat((inside, size), 1).repeat_interleave(BINS, 1)
        classes = level[:, 5:].clamp(NEARLY, 1 - NEARLY).logit()
        found.append(LevelOutput(boxes, classes, classes))
    return found


def rows_of_four(boxes: Tensor, faults: Collection[str] = tuple(BATCH_FAULTS)) -> Tensor:
    """(B, 4, N) centre and size -> (B * N, 4) xyxy."""
    rows = boxes.reshape(-1, 4) if "reshaped_boxes" in faults else boxes.permute(0, 2, 1).reshape(-1, 4)
    centre, half = rows[:, :2], rows[:, 2:].clamp(min=1e-3) / 2
    return torch.cat((centre - half, centre + half), 1)


def loss(
    boxes: Tensor, logits: Tensor, wanted: Sequence[Tensor], faults: Collection[str] = tuple(BATCH_FAULTS)
) -> Losses:
    """Losses of a batch: boxes (B, 4, A) centre and size px, logits (B, A, nc), targets (B, 5 + nc, h, w) a level."""
    target = torch.cat([level.flatten(2) for level in wanted], 2)
    hit = target[:, 4] > 0
    positives = hit.sum().clamp(min=1)
    classes = sigmoid_focal_loss(logits.float(), target[:, 5:].permute(0, 2, 1), reduction="sum")
    objectness = sigmoid_focal_loss(logits.amax(2).float(), target[:, 4], reduction="sum")
    predicted, truth = (rows_of_four(part, faults)[hit.reshape(-1)] for part in (boxes, target[:, :4]))
    placed = complete_box_iou_loss(predicted, truth, reduction="sum")
    return Losses(classes=classes / positives, objectness=objectness / positives, boxes=placed / positives)


def select(
    boxes: Tensor, logits: Tensor, conf: float, iou: float, faults: Collection[str] = tuple(BATCH_FAULTS)
) -> list[Candidate]:
    """The detections of each image, best first: from boxes (B, A, 4) xyxy px and logits (B, A, nc)."""
    count = boxes.shape[1]
    groups = [(boxes.flatten(0, 1), logits.flatten(0, 1))] if "batch_nms" in faults else zip(boxes, logits, strict=True)
    found = []
    for group in groups:
        kept = above(*group, conf)
        kept = kept[nms(kept.boxes + kept.class_id[:, None] * CLASS_SHIFT, kept.confidence, iou)]
        found += [kept[kept.anchor // count == image] for image in range(len(group[0]) // count)]
    found = [image[:MAX_DETECTIONS] for image in found]
    return [Candidate(image.anchor % count, image.class_id, image.confidence, image.boxes) for image in found]


def _is_fault(name) -> bool:
    return isinstance(name, str) and name in FAULTS


class NaiveDetector(FastViTDetector, naive=True):
    """The same network with the published targets, decoding, losses and suppression.

    ``faults``: names of ``FAULTS``, at first all of them; ``net.faults -= {"viewed_grid"}`` mends one.
    """

    faults: Set[str] = frozenset(FAULTS)

    @property
    def config(self) -> dict[str, Any]:
        return super().config | {"faults": sorted(self.faults)}

    @classmethod
    def accepts(cls, config: Mapping[str, Any]) -> bool:
        faults = config.get("faults")
        return faults is None or (isinstance(faults, list) and all(map(_is_fault, faults)))

    def configured(self, config: Mapping[str, Any]) -> None:
        if config.get("faults") is not None:
            self.faults = frozenset(config["faults"])

    def describe_head(self):
        return NaiveHead(self)

    def start(self) -> None:
        for head in self.level_heads:
            cast(LevelHead, head).start_unsure(math.log(2))

    def boxes(self, outputs):
        return rows_of_four(decode(outputs, self.faults), self.faults).view(len(outputs[0].boxes), -1, 4)

    def select(self, boxes, logits, conf, iou):
        return select(boxes, logits, conf, iou, self.faults)

    def encode(self, boxes, labels, image_size):
        return encode(boxes, labels, image_size, len(self.names), self.faults)

    @property
    def layout(self) -> dict:
        return layout(len(self.names))

    def loss(self, outputs, wanted):
        return loss(decode(outputs, self.faults), flat_logits(outputs), wanted, self.faults)
