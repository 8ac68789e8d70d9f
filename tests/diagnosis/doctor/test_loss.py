"""What every detection loss owes, on losses that are right and losses with one fault each."""

import pytest
import torch
from torch.nn import functional as F

from diagnosis import TargetLayout, check_loss

LAYOUT = TargetLayout(format="ltrb", unit="stride", classes=slice(5, 9))


def loss(fault=None):
    """Binary cross-entropy on objectness and classes (as logits), L1 on the boxes of cells with an object."""

    def value(predictions, targets):
        total = predictions[0].sum() * 0
        for level, truth in zip(predictions, targets, strict=True):
            held = truth[:, 4] > 0
            if fault == "reshape":
                raw, wanted = level[:, :4].reshape(-1, 4), truth[:, :4].permute(0, 2, 3, 1).reshape(-1, 4)
            else:
                raw, wanted = (part[:, :4].permute(0, 2, 3, 1).reshape(-1, 4) for part in (level, truth))
            cells = torch.ones_like(held) if fault == "boxes of empty cells" else held
            distance = (raw - wanted)[cells.reshape(-1)]
            if fault == "relative error":
                distance = distance / wanted[cells.reshape(-1)].sum(1, keepdim=True)
            part = distance.abs().sum()
            if fault == "mean over no cell":
                part = distance.abs().mean()
            if fault == "boxes detached":
                part = part.detach()
            score, wish = level[:, 4:], truth[:, 4:]
            if fault == "wrong way round":
                wish = 1 - wish
            total = total + part + F.binary_cross_entropy_with_logits(score, wish, reduction="sum")
            if fault == "place in the row":
                total = total + (level[:, 4] * torch.arange(level.shape[3])).square().sum() * 1e-3
        if fault == "detached":
            return total.detach()
        return total[None, None].expand(2, 2) if fault == "not a scalar" else total

    return value


def prepare(targets):
    return [torch.cat((level[:, :4], level[:, 4:].clamp(1e-4, 1 - 1e-4).logit()), 1) for level in targets]


def check(fault=None):
    return check_loss(loss(fault), LAYOUT, image_size=(64, 96), prepare=prepare, box_channels=range(4))


def test_a_right_loss_has_no_finding():
    assert not check().findings, str(check())


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("reshape", "not_permutation_invariant"),
        ("place in the row", "not_permutation_invariant"),
        ("boxes of empty cells", "gradient_leak"),
        ("relative error", "non_finite"),
        ("mean over no cell", "non_finite"),
        ("boxes detached", "no_gradient"),
        ("detached", "no_gradient"),
        ("wrong way round", "not_minimal"),
        ("not a scalar", "wrong_output"),
    ],
)
def test_each_fault_is_named_by_its_cause_alone(fault, code):
    report = check(fault)
    assert {finding.code for finding in report.errors} == {code}, str(report)
