"""Losses channel by channel: right ones have no error, each fault is named by its cause alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import distance_box_iou_loss, generalized_box_iou_loss, sigmoid_focal_loss

from diagnosis import TargetLayout, check_loss

CENTRES = TargetLayout(format="cxcywh", unit="stride", relative=True, grid_offset=0.0, classes=slice(5, 9))
SIDES = TargetLayout(format="ltrb", unit="stride", objectness=None, classes=slice(4, 8))
SOFT = TargetLayout(format="ltrb", unit="stride", objectness=None, classes=slice(4, 8), class_values="soft")


def corners(boxes: Tensor, layout: TargetLayout) -> Tensor:
    """(n, 4) xyxy around the anchor point, in strides."""
    if layout.format == "ltrb":
        return torch.cat((-boxes[:, :2], boxes[:, 2:]), 1)
    return torch.cat((boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2), 1)


def bce(x: Tensor, y: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(x, y, reduction="sum")


BOXES: dict[str, Callable] = {
    "l1": lambda p, t, layout: (p - t).abs().sum(),
    "smooth": lambda p, t, layout: F.smooth_l1_loss(p, t, reduction="sum"),
    "giou": lambda p, t, layout: generalized_box_iou_loss(corners(p, layout), corners(t, layout), "sum"),
    "diou": lambda p, t, layout: distance_box_iou_loss(corners(p, layout), corners(t, layout), "sum"),
    "x and y exchanged": lambda p, t, layout: (p[:, [1, 0, 3, 2]] - t).abs().sum(),
    "x and y exchanged, giou": lambda p, t, layout: BOXES["giou"](p[:, [1, 0, 3, 2]], t, layout),
    "x for width": lambda p, t, layout: (p[:, [2, 1, 0, 3]] - t).abs().sum(),
    "y left out": lambda p, t, layout: (p - t)[:, [0, 2, 3]].abs().sum(),
    "height left out": lambda p, t, layout: (p - t)[:, :3].abs().sum(),
    "log of target sizes": lambda p, t, layout: (
        (p - torch.cat((t[:, :2], t[:, 2:].clamp(min=1e-6).log()), 1)).abs().sum()
    ),
    "target in strides of 8 once more": lambda p, t, layout: (p - 8 * t).abs().sum(),
    "half of target sizes": lambda p, t, layout: (p - t * torch.tensor([1, 1, 0.5, 0.5])).abs().sum(),
    "errors with their sign": lambda p, t, layout: (p - t).sum(0).abs().sum(),
    "sigmoid of offsets": lambda p, t, layout: (torch.cat((p[:, :2].sigmoid(), p[:, 2:]), 1) - t).abs().sum(),
    "iou to be small": lambda p, t, layout: -BOXES["giou"](p, t, layout),
}
CLASSES: dict[str, Callable] = {
    "bce": bce,
    "focal": lambda x, y: sigmoid_focal_loss(x, y, reduction="sum"),
    "quality focal": lambda x, y: (
        (x.sigmoid() - y).square() * F.binary_cross_entropy_with_logits(x, y, reduction="none")
    ).sum(),
    "squared": lambda x, y: (x.sigmoid() - y).square().sum(),
    "sigmoid twice": lambda x, y: bce(x.sigmoid(), y),
    "classes moved by one": lambda x, y: bce(x, y.roll(1, -1)),
    "classes left out": lambda x, y: x.sum() * 0,
    "logits for probabilities": lambda x, y: (x - y).square().sum(),
}


def loss(layout: TargetLayout, box: str, classes: str, fault: str = "") -> Callable:
    """Box term of cells with an object, class term and objectness of all; by the number of objects."""

    def value(predictions, targets):
        total, count = predictions[0].sum() * 0, 0
        for raw, wanted in zip(predictions, targets, strict=True):
            raw, wanted = raw.permute(0, 2, 3, 1), wanted.permute(0, 2, 3, 1)
            held = wanted[..., 4:].amax(-1) > 0
            count += int(held.sum())
            boxes = raw.flip(0) if fault == "boxes of the next image" else raw
            total = total + BOXES[box](boxes[..., :4][held], wanted[..., :4][held], layout)
            channels = list(layout.class_channels)
            total = total + CLASSES[classes](raw[..., channels], wanted[..., channels])
            if layout.objectness is not None and fault != "objectness left out":
                total = total + objectness(raw[..., 4], wanted[..., 4], fault)
        return total / count if fault == "by no object" else total / max(count, 1)

    return value


def objectness(raw: Tensor, wanted: Tensor, fault: str) -> Tensor:
    if fault == "rows weigh more and more":
        weight = torch.linspace(0.5, 2, raw.shape[1])[:, None]
        return (weight * F.binary_cross_entropy_with_logits(raw, wanted, reduction="none")).sum()
    held = wanted > 0
    if fault == "objectness of objects alone":
        return bce(raw[held], wanted[held])
    return bce(raw, 1 - wanted) if fault == "objectness inverted" else bce(raw, wanted)


def prepare(targets: list[Tensor]) -> list[Tensor]:
    return [torch.cat((level[:, :4], level[:, 4:].clamp(1e-4, 1 - 1e-4).logit()), 1) for level in targets]


def check(*parts):
    return check_loss(loss(*parts), parts[0], image_size=(96, 128), prepare=prepare, box_channels=range(4))


@pytest.mark.parametrize(
    ("layout", "box", "classes"),
    [
        (CENTRES, "l1", "bce"),
        (CENTRES, "smooth", "squared"),
        (CENTRES, "diou", "focal"),
        (SIDES, "giou", "focal"),
        (SOFT, "giou", "quality focal"),
        (SOFT, "l1", "bce"),
    ],
)
def test_right_losses_have_no_finding(layout, box, classes):
    report = check(layout, box, classes)
    assert not report.findings, str(report)


@pytest.mark.parametrize(
    ("box", "code"),
    [
        ("x and y exchanged", "axes_swapped"),
        ("x and y exchanged, giou", "axes_swapped"),
        ("x for width", "wrong_box_format"),
        ("y left out", "no_gradient"),
        ("height left out", "no_gradient"),
        ("log of target sizes", "wrong_box_unit"),
        ("target in strides of 8 once more", "wrong_box_unit"),
        ("half of target sizes", "wrong_box_format"),
        ("errors with their sign", "not_minimal"),
        ("sigmoid of offsets", "not_minimal"),
        ("iou to be small", "not_minimal"),
    ],
)
def test_faults_of_the_box_term_are_named(box, code):
    report = check(CENTRES, box, "bce")
    assert [finding.code for finding in report.errors] == [code], str(report)


@pytest.mark.parametrize(
    ("classes", "code"),
    [
        ("sigmoid twice", "not_minimal"),
        ("classes moved by one", "class_wrong"),
        ("classes left out", "no_gradient"),
        ("logits for probabilities", "not_minimal"),
    ],
)
def test_faults_of_the_class_term_are_named(classes, code):
    report = check(CENTRES, "l1", classes)
    assert [finding.code for finding in report.errors] == [code], str(report)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("boxes of the next image", "mixed_batch"),
        ("objectness left out", "no_gradient"),
        ("objectness of objects alone", "no_gradient"),
        ("objectness inverted", "not_minimal"),
        ("rows weigh more and more", "not_permutation_invariant"),
        ("by no object", "non_finite"),
    ],
)
def test_other_faults_are_named(fault, code):
    report = check(CENTRES, "l1", "bce", fault)
    assert [finding.code for finding in report.errors] == [code], str(report)


def test_nan_in_some_calls_is_told_with_their_number():
    plain = loss(CENTRES, "l1", "bce")
    calls = []

    def value(predictions, targets):
        calls.append(1)
        return plain(predictions, targets) * (torch.nan if len(calls) % 12 == 0 else 1.0)

    report = check_loss(value, CENTRES, image_size=(96, 128), prepare=prepare, box_channels=range(4))
    (found,) = [finding for finding in report.errors if finding.code == "non_finite"]
    assert f"of {report.probes} losses are NaN or infinite" in found.message
    assert len(calls) >= 60


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        (lambda p, t: (p - t).sum(1).square().sum(), "cancel"),
        (lambda p, t: ((p[:, :2] + p[:, 2:]) - (t[:, :2] + t[:, 2:])).abs().sum(), "cancel"),
    ],
)
def test_errors_of_two_channels_that_cancel(boxes: Callable, words: str):
    def loss(predictions, targets):
        total = predictions[0].sum() * 0
        for level, truth in zip(predictions, targets, strict=True):
            held = truth[:, 4:].amax(1) > 0
            shown, wanted = (part.permute(0, 2, 3, 1)[held] for part in (level, truth))
            total = total + boxes(shown[:, :4], wanted[:, :4]) + (level[:, 4:] - truth[:, 4:]).square().sum()
        return total

    (found,) = check_loss(loss, SIDES)
    assert found.code == "not_minimal" and words in found.message
