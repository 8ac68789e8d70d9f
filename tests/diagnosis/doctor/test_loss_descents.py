"""Losses whose faults show in some objects, in some proportion, or at some later call alone."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from diagnosis import TargetLayout, check_loss

ONE = TargetLayout(format="cxcywh", unit="stride", relative=True, classes=slice(5, 8), strides=(8, 16))
TWO = TargetLayout(
    format="cxcywh",
    unit="stride",
    relative=True,
    size_unit="prior",
    size_function="log",
    objectness=4,
    classes=slice(5, 8),
    strides=(16,),
    anchors=(((30, 40), (60, 50)),),
    axes="AC,H,W",
)
SEEN: dict[str, Tensor] = {}


def prepare(targets: list[Tensor]) -> list[Tensor]:
    found = []
    for level in targets:
        part = level.unflatten(1, (-1, 8))
        logits = part[:, :, 4:].clamp(1e-4, 1 - 1e-4).logit()
        found.append(torch.cat((part[:, :, :4], logits), 2).flatten(1, 2))
    return found


class Loss:
    """Squares of boxes, cross-entropy of all else; ``fault`` is otherwise."""

    def __init__(self, fault: str = ""):
        self.fault = fault

    def __call__(self, predictions: list[Tensor], targets: list[Tensor]) -> Tensor:
        total = predictions[0].sum() * 0
        for level, (raw, wanted) in enumerate(zip(predictions, targets, strict=True)):
            weight = -0.5 if self.fault == "a level below nothing" and level else 1.0
            total = total + weight * self.level(self.rows(raw, predicted=True), self.rows(wanted))
        count = sum((self.rows(level)[:, 4] > 0).sum() for level in targets)
        if self.fault == "the count of the first call":
            count = SEEN.setdefault("count", torch.as_tensor(count))
        return total / max(int(count), 1)

    def rows(self, level: Tensor, *, predicted: bool = False) -> Tensor:
        if predicted and self.fault == "channels before anchors":
            return level.unflatten(1, (8, -1)).permute(0, 2, 3, 4, 1).reshape(-1, 8)
        part = level.unflatten(1, (-1, 8))
        return part.permute(0, 1, 3, 4, 2).reshape(-1, 8)

    def level(self, raw: Tensor, wanted: Tensor) -> Tensor:
        held = wanted[:, 4] > 0
        boxed = raw[:, 4] > 0 if self.fault == "the mask of predictions" else held
        errors = raw[boxed, :4] - wanted[boxed, :4]
        if self.fault == "the sum of sides":
            errors = torch.cat((errors[:, :2], errors[:, 2:].sum(1, keepdim=True)), 1)
        if self.fault == "one side alone":
            errors = errors.relu()
        weight = torch.tensor([1.0, 1.0, -0.2 if self.fault == "a class below nothing" else 1.0])
        scores = F.binary_cross_entropy_with_logits(raw[:, 4], wanted[:, 4], reduction="sum")
        kinds = F.binary_cross_entropy_with_logits(raw[:, 5:], wanted[:, 5:], reduction="none")
        return errors.square().sum() + scores + (kinds * weight).sum()


@pytest.mark.parametrize("layout", [ONE, TWO], ids=["one anchor", "two anchors"])
def test_a_right_loss_has_no_finding(layout):
    report = check_loss(Loss(), layout, image_size=(32, 64), prepare=prepare, box_channels=range(4))
    assert not report.findings, str(report)


@pytest.mark.parametrize(
    ("layout", "fault", "code"),
    [
        (ONE, "a level below nothing", "not_minimal"),
        (ONE, "a class below nothing", "not_minimal"),
        (TWO, "the sum of sides", "not_minimal"),
        (TWO, "channels before anchors", "scrambled_layout"),
        (ONE, "one side alone", "no_gradient"),
        (ONE, "the mask of predictions", "gradient_leak"),
        (ONE, "the count of the first call", "state_leak"),
    ],
)
def test_the_cause_is_named_and_nothing_beside(layout, fault, code):
    SEEN.clear()
    report = check_loss(Loss(fault), layout, image_size=(32, 64), prepare=prepare, box_channels=range(4))
    assert {finding.code for finding in report.errors} == {code}, str(report)
