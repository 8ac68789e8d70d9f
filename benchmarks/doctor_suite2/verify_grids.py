"""What a correct grid owes, and what a fault of one must change; the check is not asked."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anatomy import Pass

from .cases import Case

STEP = 64  # px, by which a patch is moved
SIZES = ((256, 384), (320, 320))
FAINT = 0.2  # of a logit: no weaker change can be expected to be seen


def picture(size: tuple[int, int], x: int, y: int, side: int = 32) -> np.ndarray:
    """Grey, with a patch of noise."""
    image = np.full((*size, 3), 114, np.uint8)
    noise = np.random.default_rng(3).integers(0, 256, (side, side, 3))
    image[y : y + side, x : x + side] = noise
    return image


def passed(made: ModuleType, image: np.ndarray) -> tuple[Any, Pass]:
    head = made.make().describe_head()
    return head, next(iter(head.passes(image, conf=0.25, iou=0.7, imgsz=max(image.shape[:2]))))


def wrong(case: Case) -> Iterator[str]:
    """What a patch changes moves with it: cells of classes and of boxes, and boxes themselves."""
    made = case.make()
    for size in SIZES:
        head, grey = passed(made, picture(size, 0, 0, 0))
        first, right, down = (
            passed(made, picture(size, x, y))[1] for x, y in ((96, 96), (96 + STEP, 96), (96, 96 + STEP))
        )
        for level, entry in enumerate(head.levels):
            steps = int(STEP / entry.stride)
            for what, made_of in (("classes", logits), ("boxes", boxes)):
                changes = [(made_of(head, one, level) - made_of(head, grey, level)) for one in (first, right, down)]
                if changes[0].abs().max() < FAINT:
                    yield f"{size}, level {level}: {what} hardly answer, by {changes[0].abs().max():.3f}"
                if not torch.allclose(changes[0][:, :, :-steps], changes[1][:, :, steps:], atol=1e-3):
                    yield f"{size}, level {level}: {what} do not move along the columns"
                if not torch.allclose(changes[0][:, :-steps], changes[2][:, steps:], atol=1e-3):
                    yield f"{size}, level {level}: {what} do not move along the rows"
            yield from aside(head, grey, level)


def aside(head: Any, run: Pass, level: int) -> Iterator[str]:
    """On grey all cells say the same, so their boxes lie alike around the points that are declared."""
    made = boxes(head, run, level)
    inner = made[:, 2:-2, 2:-2].flatten(1)
    if (inner - inner[:, :1]).abs().max() > 1e-2:
        yield f"level {level}: boxes do not follow the declared points"


def logits(head: Any, run: Pass, level: int) -> Tensor:
    return run.logits[level]


def boxes(head: Any, run: Pass, level: int) -> Tensor:
    """(A * 4, h, w): boxes of a level in strides from the declared points."""
    shape = run.shapes[level]
    count = head.anchors_per_cell
    start = sum(h * w * count for h, w in run.shapes[:level])
    index = torch.arange(start, start + shape[0] * shape[1] * count)
    points = torch.from_numpy(head.pyramid(run).points(index.numpy())).float().repeat(1, 2)
    away = (head.xyxy(run, index) - points) / head.levels[level].stride
    return away.reshape(*shape, count * 4).permute(2, 0, 1)


def seen(case: Case) -> list[Any]:
    """All that can be seen of a detector: declared strides and offset, logits and boxes of two pictures a size."""
    made, told = case.make(), []
    for size in SIZES:
        for x, y in ((32, 64), (160, 96)):
            head, run = passed(made, picture(size, x, y))
            everything = torch.arange(run.boxes.shape[1])
            declared = torch.tensor([*(level.stride for level in head.levels), head.grid_offset])
            told.append([declared, list(run.logits), head.xyxy(run, everything)])
    return told
