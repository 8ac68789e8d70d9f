"""Ultralytics' heads told by hand: what enters them, and how their numbers become boxes."""

import numpy as np
import pytest
import torch

import anatomy
from tests.contract import lending
from tests.contract.families import FAMILIES
from tests.contract.rows import PICTURE, ultralytics_answer

# those in which a level makes boxes alone, of distances to its points
ULTRALYTICS = [
    family for family in FAMILIES if family.answer is ultralytics_answer and "one level" not in family.refuses
]


@pytest.fixture(params=ULTRALYTICS, ids=str)
def family(request):
    return request.param


def test_what_enters_the_head_is_what_its_levels_declare(family):
    net, entered = lending.network(family).model, []
    hook = net.model[-1].register_forward_pre_hook(lambda _, inputs: entered.extend(inputs[0]))
    with torch.no_grad():
        net(torch.zeros(1, 3, 128, 192))
    hook.remove()
    levels = anatomy.levels(net)
    for level, maps in zip(levels, entered, strict=True):
        assert maps.shape == (1, level.in_channels, 128 / level.stride, 192 / level.stride)


def test_the_bins_of_the_recorded_anchor_make_the_box(family):
    trace = lending.traced(family)
    found = trace.detections
    x, y = (found.col + 0.5) * found.stride, (found.row + 0.5) * found.stride
    left, top, right, bottom = sides_by_hand(trace)
    if trace.result.obb is None:
        expected = np.stack((x - left, y - top, x + right, y + bottom), 1)
        expected = expected.clip(0, np.tile(PICTURE.shape[1::-1], 2))
        actual = trace.letterbox.to_input(found.xyxy)
    else:
        boxes = trace.result.obb.xywhr.double().numpy()
        cos, sin = np.cos(boxes[:, 4]), np.sin(boxes[:, 4])
        ahead, below = (right - left) / 2, (bottom - top) / 2
        sizes = np.stack((left + right, top + bottom), 1)
        expected = np.column_stack((x + ahead * cos - below * sin, y + ahead * sin + below * cos, sizes))
        actual = boxes[:, :4]
        turned = np.isclose(actual[:, 2], sizes[:, 1], atol=1e-3) & ~np.isclose(sizes[:, 0], sizes[:, 1], atol=1e-3)
        assert not turned.all()  # Ultralytics may name the sides the other way round; the rest is compared
        expected, actual = expected[~turned], actual[~turned]
    assert np.abs(expected - actual).max() < 1e-4
    best = 1 / (1 + np.exp(-found.logits.astype(np.float64)))
    assert np.allclose(best[np.arange(len(found)), found.class_id], found.confidence, atol=1e-6)


def sides_by_hand(trace) -> np.ndarray:
    """Left, top, right and bottom of each detection, (4, n) px from its anchor point."""
    bins = trace.run.box_logits[:, trace.run.anchors].view(4, trace.reg_max, -1).double()
    expected_bin = (bins.softmax(1) * torch.arange(trace.reg_max)[:, None]).sum(1)
    sides = bins[:, 0] if trace.reg_max == 1 else expected_bin
    return (sides * torch.as_tensor(trace.detections.stride)).numpy()


def test_the_largest_class_score_is_the_objectness(family):
    trace = lending.traced(family)
    for logits, heat in zip(trace.logits, trace.objectness(), strict=True):
        assert torch.allclose(heat, logits.sigmoid().amax(0))
