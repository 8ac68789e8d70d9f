"""As described the training diverges, and the doctor names where; repaired, the same budget trains."""

import math

import numpy as np
import pytest
import torch

from detectors.pafpn import PLACES, criterion, draw_batches, half_width, learn, optimizer
from diagnosis import numerics

pytestmark = pytest.mark.long

STEPS, SIDE = 16, 64
FLOAT32_EXP = math.log(torch.finfo(torch.float32).max)  # 88.7: the exponential of more is infinite


def examined(seed: int, normalized):
    """What the doctor says of four steps, and the largest box number of each pass."""
    net = half_width(normalized, seed=seed)
    batches = draw_batches(net, 5, side=SIDE, seed=seed)
    report = numerics(net, batches, criterion, steps=4, optimizer=optimizer, progress=False)
    boxes = [index for index, layer in enumerate(report.layers) if layer.path.endswith("regress")]
    assert len(boxes) == 3
    return report, report.forward.largest[:, boxes].max(1)


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_as_described_it_diverges_and_repaired_the_same_budget_trains(seed):
    batches = draw_batches(half_width(), STEPS, side=SIDE, seed=seed)
    described = []
    for losses in learn(half_width((), seed=seed), batches):
        described.append(losses["total"])
        if not math.isfinite(losses["total"]):
            break
    assert math.isfinite(described[0])
    assert not math.isfinite(described[-1])
    repaired = [losses["total"] for losses in learn(half_width(seed=seed), batches)]
    assert np.isfinite(repaired).all()
    assert max(repaired) < 1.2 * repaired[0]
    assert np.mean(repaired[-4:]) < 0.95 * np.mean(repaired[:4])


def test_the_doctor_names_the_layer_that_runs_away_before_the_nan_and_where_it_begins():
    report, boxes = examined(3, ())
    origin = report.first_non_finite
    runaway = next(finding for finding in report.findings if finding.code == "runaway")
    assert runaway.severity == "error"
    assert runaway.evidence["layer"] in {layer.name for layer in report.layers}
    assert runaway.evidence["step"] < origin.step
    assert boxes[0] < 1
    assert boxes[origin.step] > FLOAT32_EXP
    assert (origin.direction, origin.how) == ("forward", "loss")  # all that the network put out was finite


def test_repaired_the_doctor_finds_no_error():
    report, boxes = examined(3, tuple(PLACES))
    assert report.first_non_finite is None
    assert [finding for finding in report.findings if finding.severity == "error"] == []
    assert boxes.max() < FLOAT32_EXP / 8


def test_a_normalized_head_alone_hides_a_neck_that_runs_away():
    report, boxes = examined(3, ("head",))
    runaway = next(finding for finding in report.findings if finding.code == "runaway")
    assert runaway.severity == "error"
    assert np.isfinite(report.losses).all()
    assert boxes.max() < FLOAT32_EXP / 8
    assert report.growth[-1].max() > 100


def test_batches_are_those_of_their_seed():
    net = half_width()
    one, other, again = (draw_batches(net, 1, images=2, side=64, seed=seed)[0] for seed in (0, 1, 0))
    assert one[0].shape == (2, 3, 64, 64)
    assert [tuple(level.shape) for level in one[1]] == [(2, 8, 8, 8), (2, 8, 4, 4), (2, 8, 2, 2)]
    assert torch.equal(one[0], again[0])
    assert not torch.equal(one[0], other[0])
    assert sum(float(level[:, 4].sum()) for level in one[1]) > 0
