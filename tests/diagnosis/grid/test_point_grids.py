"""Boxes about points on a grid that was built by mistake: the mistake is named from the boxes alone."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from anatomy import Pyramid
from diagnosis.grid.aim import read_aim
from diagnosis.grid.point_grids import mistaken

SHAPE = (8, 10)


def passes(points: np.ndarray, count: int = 3) -> list[Any]:
    """Passes of a level of stride 8 whose boxes are softplus of raw sides, in strides, about points in cells."""
    generator, found = torch.Generator().manual_seed(0), []
    for _ in range(count):
        raw = torch.randn(4, len(points), generator=generator)
        side = torch.nn.functional.softplus(raw)
        place = torch.as_tensor(points.T, dtype=torch.float32)
        boxes = torch.cat((place - side[:2], place + side[2:])) * 8
        found.append(SimpleNamespace(boxes=boxes, box_logits=raw))
    return found


def head() -> Any:
    pyramid = Pyramid.of([SHAPE], [8.0])
    return SimpleNamespace(
        pyramid=lambda pass_: pyramid, xyxy=lambda pass_, anchors: pass_.boxes[:, anchors].T, reg_max=1
    )


@pytest.mark.parametrize("grid", list(mistaken(SHAPE, 0.5)), ids=lambda grid: grid.words)
def test_each_mistaken_grid_is_known_again(grid):
    aim = read_aim(head(), passes(grid.points), 0)
    assert aim.mistake is not None
    assert (aim.mistake.code, aim.mistake.words) == (grid.code, grid.words)


def test_the_declared_grid_is_no_mistake():
    rows, cols = np.indices(SHAPE)
    aim = read_aim(head(), passes(np.stack((cols.ravel(), rows.ravel()), 1) + 0.5), 0)
    assert aim.mistake is None
    assert aim.offset == pytest.approx((0, 0), abs=0.01)
