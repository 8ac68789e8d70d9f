"""Losses that are silent where no object is, where numbers are cut, or whichever anchor holds an object."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from diagnosis import TargetLayout, check_loss

LAYOUT = TargetLayout(
    format="cxcywh",
    unit="stride",
    relative=True,
    grid_offset=0.0,
    objectness=4,
    classes=slice(5, 8),
    strides=(16,),
    anchors=(((30, 40), (60, 50)),),
    axes="AC,H,W",
)


class Loss:
    """Squares of everything, on raw numbers; ``fault`` is otherwise."""

    def __init__(self, fault: str):
        self.fault = fault

    def __call__(self, predictions: list[Tensor], targets: list[Tensor]) -> Tensor:
        raw, wanted = (part[0].unflatten(1, (2, 8)).permute(0, 1, 3, 4, 2) for part in (predictions, targets))
        b, a, r, c = (wanted[..., 4] > 0.5).nonzero(as_tuple=True)
        if not len(b) and self.fault == "nothing to pay without objects":
            return raw.sum() * 0
        if self.fault == "scores cut":
            raw = torch.cat((raw[..., :4], raw[..., 4:].clamp(0, 1)), -1)
        rows = raw[b, 0 * a if self.fault == "the first anchor" else a, r, c]
        boxes = rows[:, :4] - (rows[:, :4] if self.fault == "boxes with themselves" else wanted[b, a, r, c, :4])
        scores = F.mse_loss(raw[..., 4], wanted[..., 4], reduction="sum")
        kinds = (rows[:, 5:] - wanted[b, a, r, c, 5:]).square().sum()
        return boxes.square().sum() + scores + kinds


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        ("nothing to pay without objects", {"no_gradient"}),
        ("scores cut", {"no_gradient"}),
        ("the first anchor", {"gradient_leak"}),
        ("boxes with themselves", {"no_gradient"}),
    ],
)
def test_the_cause_is_named_and_nothing_beside(fault, codes):
    report = check_loss(Loss(fault), LAYOUT, image_size=(32, 64), box_channels=range(4))
    assert {finding.code for finding in report.errors} == codes, str(report)


def test_probabilities_that_are_cut_before_a_logarithm_are_no_fault():
    layout = TargetLayout(format="ltrb", unit="stride", objectness=None, classes=slice(4, 6), strides=(16,))

    def loss(predictions: list[Tensor], targets: list[Tensor]) -> Tensor:
        raw, wanted = (part[0].permute(0, 2, 3, 1) for part in (predictions, targets))
        held = wanted[..., 4:].amax(-1) > 0.5
        scores = F.binary_cross_entropy(raw[..., 4:].clamp(1e-6, 1 - 1e-6), wanted[..., 4:], reduction="sum")
        return (raw[..., :4] - wanted[..., :4])[held].square().sum() + scores

    report = check_loss(loss, layout, image_size=(32, 64))
    assert not report.errors, str(report)
