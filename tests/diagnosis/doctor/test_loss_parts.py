"""Losses part by part: what one part shows hides nothing of another, and right ones are left in peace."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss

from diagnosis import TargetLayout, check_loss

SIDES = TargetLayout(format="ltrb", unit="stride", classes=slice(5, 8), strides=(8, 16))
CORNERS = TargetLayout(format="xyxy", unit="px", objectness=None, classes=slice(4, 7), strides=(8, 16))
LOGS = TargetLayout(
    format="cxcywh", unit="stride", relative=True, size_function="log", classes=slice(5, 8), strides=(8, 16)
)
HEAT = TargetLayout(
    format="ltrb", unit="stride", objectness=None, classes=slice(4, 7), class_values="gaussian", strides=(8,)
)


def bce(raw: Tensor, wanted: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(raw, wanted, reduction="sum")


class Loss:
    """Absolute errors of boxes, cross-entropy of objectness and classes; what ``faults`` name is otherwise."""

    def __init__(self, layout: TargetLayout, *faults: str):
        self.layout, self.faults, self.mean = layout, faults, 1.0

    def __call__(self, predictions: list[Tensor], targets: list[Tensor]) -> Tensor:
        total, count = predictions[0].sum() * 0, 0
        for raw, wanted in zip(predictions, targets, strict=True):
            raw, wanted = (part.permute(0, 2, 3, 1) for part in (raw, wanted))
            held = wanted[..., list(self.layout.class_channels)].amax(-1) >= 1
            count += int(held.sum())
            total = total + self.boxes(self.cells(raw)[held], wanted[..., :4][held]) + self.scores(raw, wanted, held)
        if "divided by no object" in self.faults:
            return total / count
        if "divided by a running mean" in self.faults:
            self.mean = 0.9 * self.mean + 0.1 * float(total.detach())
            return total / self.mean
        return total / max(count, 1)

    def cells(self, raw: Tensor) -> Tensor:
        boxes = raw[..., :4]
        if "boxes viewed" in self.faults:
            boxes = boxes.permute(0, 3, 1, 2).reshape(boxes.shape)
        return boxes[:1].expand_as(boxes) if "boxes of the first image" in self.faults else boxes

    def boxes(self, found: Tensor, wanted: Tensor) -> Tensor:
        if "exponential of predicted sizes" in self.faults:
            found = torch.cat((found[:, :2], found[:, 2:].exp()), 1)
        if "boxes cut to [0, 1]" in self.faults:
            found = found.clamp(0, 1)
        overlap = generalized_box_iou_loss(found, wanted, reduction="sum", eps=1e-6) if self.layout is CORNERS else 0
        return overlap + (0.01 if self.layout is CORNERS else 1) * (found - wanted).abs().sum()

    def scores(self, raw: Tensor, wanted: Tensor, held: Tensor) -> Tensor:
        channels, total = list(self.layout.class_channels), raw.sum() * 0
        if self.layout.objectness is not None and "no objectness" not in self.faults:
            total = total + bce(raw[..., 4], wanted[..., 4])
        if "no classes" in self.faults:
            return total
        shown, wish = raw[..., channels], wanted[..., channels]
        if "empty cells as the first class" in self.faults:
            return total + F.cross_entropy(shown.permute(0, 3, 1, 2), wish.argmax(-1), reduction="sum")
        if "squares of logits" in self.faults:
            return total + (shown - wish).square().sum()
        wish = wish.roll(1, -1) if "next class" in self.faults else wish
        if "sigmoid of logits" in self.faults:
            shown = shown.sigmoid()
        return total + bce(shown, wish)


def prepare(targets: list[Tensor]) -> list[Tensor]:
    return [torch.cat((level[:, :4], level[:, 4:].clamp(1e-4, 1 - 1e-4).logit()), 1) for level in targets]


def peaks(targets: list[Tensor]) -> list[Tensor]:
    """Heat around a peak is no object: what the loss asks for is 0 there."""
    return prepare([torch.cat((level[:, :4], (level[:, 4:] >= 1).to(level.dtype)), 1) for level in targets])


def check(loss: Callable, layout: TargetLayout, made: Callable = prepare):
    return check_loss(loss, layout, image_size=(64, 96), prepare=made, box_channels=range(4))


@pytest.mark.parametrize(("layout", "made"), [(SIDES, prepare), (CORNERS, prepare), (LOGS, prepare), (HEAT, peaks)])
def test_right_losses_have_no_finding(layout, made):
    report = check(Loss(layout), layout, made)
    assert not report.findings, str(report)


@pytest.mark.parametrize(
    ("layout", "faults", "codes"),
    [
        (LOGS, ["exponential of predicted sizes"], {"not_minimal"}),
        (SIDES, ["boxes cut to [0, 1]"], {"no_gradient"}),
        (SIDES, ["empty cells as the first class"], {"class_leak"}),
        (SIDES, ["boxes of the first image"], {"no_gradient"}),
        (CORNERS, ["squares of logits"], {"not_minimal"}),
        (SIDES, ["divided by no object", "next class"], {"non_finite", "class_wrong"}),
        (SIDES, ["boxes viewed", "no objectness"], {"not_permutation_invariant", "no_gradient"}),
        (CORNERS, ["boxes viewed", "squares of logits"], {"not_permutation_invariant", "not_minimal"}),
        (SIDES, ["divided by a running mean", "no classes"], {"state_leak", "no_gradient"}),
        (SIDES, ["boxes of the first image", "sigmoid of logits"], {"no_gradient", "not_minimal"}),
    ],
    ids=lambda given: " and ".join(given) if isinstance(given, list) else "",
)
def test_each_cause_is_named_and_nothing_beside(layout, faults, codes):
    report = check(Loss(layout, *faults), layout)
    assert {finding.code for finding in report.errors} == codes, str(report)


def test_errors_that_cancel_in_an_image_are_no_mixing_of_images():
    def loss(predictions, targets):
        plain = Loss(SIDES)
        plain.boxes = lambda found, wanted: (found - wanted).sum(0).abs().sum()  # type: ignore[method-assign]
        return plain(predictions, targets)

    report = check(loss, SIDES)
    assert report.codes == ("not_minimal",), str(report)
    assert "opposite sign" in report.findings[0].message


def test_a_loss_of_the_first_image_alone_leaves_the_others_without_gradient():
    def loss(predictions, targets):
        return Loss(SIDES)([level[:1] for level in predictions], [level[:1] for level in targets])

    report = check(loss, SIDES)
    assert report.codes == ("no_gradient",), str(report)
    assert "only the first image" in report.findings[0].message.lower()
