"""Losses that are flat or infinite far from the truth, count their calls, or let one image decide about another."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from diagnosis import TargetLayout, check_loss

LAYOUT = TargetLayout(
    box=(0, 1, 2, 3),
    format="cxcywh",
    unit="stride",
    relative=True,
    grid_offset=0.0,
    objectness=4,
    classes=(5,),
    strides=(16,),
    axes="LNC",
    class_values="ids",
    num_classes=3,
)


def prepare(targets: list[Tensor]) -> list[Tensor]:
    found = []
    for level in targets:
        held = level[..., 4:5]
        shares = torch.cat((held, F.one_hot(level[..., 5].long(), 3) * held), -1)
        found.append(torch.cat((level[..., :4], shares.clamp(1e-4, 1 - 1e-4).logit()), -1))
    return found


class Loss:
    """Overlap, and cross-entropies with logits; ``fault`` is otherwise."""

    def __init__(self, fault: str = ""):
        self.fault, self.calls = fault, 0

    def __call__(self, predictions: list[Tensor], targets: list[Tensor]) -> Tensor:
        self.calls += 1
        raw, wanted = predictions[0], targets[0]
        held = wanted[..., 4] > 0.5
        own, goal = raw[held], wanted[held]
        boxes = self.boxes(own, goal)
        if self.fault == "objects of class 0 are none":
            held = wanted[..., 5] > 0
            own, goal = raw[held], wanted[held]
            boxes = self.boxes(own, goal)
        kinds = F.one_hot(goal[:, 5].long(), 3).float()
        kinds = goal[:, 5:].expand(-1, 3) if self.fault == "ids are values" else kinds
        weight = goal[:, 5:] if self.fault == "classes weighted by ids" else None
        classes = F.binary_cross_entropy_with_logits(own[:, 5:], kinds, weight=weight, reduction="sum")
        return (boxes.sum() + classes + self.objectness(raw[..., 4], held.float())) / max(len(goal), 1)

    def boxes(self, own: Tensor, goal: Tensor) -> Tensor:
        low, high = torch.maximum(*corners(own, goal, -0.5)), torch.minimum(*corners(own, goal, 0.5))
        shared = (high - low).clamp(min=0).prod(1)
        union = own[:, 2:4].prod(1).abs() + goal[:, 2:4].prod(1) - shared
        overlap = shared / union.clamp(min=1e-6)
        if self.fault == "no overlap below a fifth":
            overlap = overlap.clamp(min=0.2)
        if self.fault == "boxes from the hundredth call on":
            return (1 - overlap) * (self.calls > 100)
        if self.fault == "no boxes at every twentieth call":
            return (1 - overlap) * (self.calls % 20 != 5)
        return 1 - overlap.sqrt() if self.fault == "the root of an overlap of 0" else 1 - overlap

    def objectness(self, raw: Tensor, held: Tensor) -> Tensor:
        if self.fault == "logarithms of 0":
            return -(held * raw.sigmoid().log() + (1 - held) * (1 - raw.sigmoid()).log()).sum()
        each = F.binary_cross_entropy_with_logits(raw, held, reduction="none")
        if self.fault == "no cost above 1":
            return each.clamp(max=1).sum()
        if self.fault == "the easiest of the background":
            return each[held > 0].sum() + each.masked_fill(held > 0, 99.0).topk(6, 1, largest=False).values.sum()
        if self.fault == "the hardest of the batch":
            return each[held > 0].sum() + each[held == 0].topk(6).values.sum()
        return each.sum()


def corners(own: Tensor, goal: Tensor, side: float) -> tuple[Tensor, Tensor]:
    return own[:, :2] + side * own[:, 2:4], goal[:, :2] + side * goal[:, 2:4]


def check(fault: str):
    return check_loss(Loss(fault), LAYOUT, image_size=(64, 64), prepare=prepare, box_channels=range(4))


def test_the_right_one_has_no_error():
    report = check("")
    assert not report.errors, str(report)


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("no overlap below a fifth", "no_gradient", "overlap their object"),
        ("the root of an overlap of 0", "non_finite", "overlap nothing"),
        ("logarithms of 0", "non_finite", "objectness are surely wrong"),
        ("no cost above 1", "no_gradient", "objectness that are surely wrong"),
        ("the easiest of the background", "no_gradient", "in empty cells"),
        ("the hardest of the batch", "mixed_batch", "other images of the batch"),
        ("ids are values", "not_minimal", "numbers of classes"),
        ("classes weighted by ids", "no_gradient", "class [0]"),
        ("objects of class 0 are none", "not_minimal", "objectness"),
        ("boxes from the hundredth call on", "state_leak", "calls"),
        ("no boxes at every twentieth call", "state_leak", "asked before"),
    ],
)
def test_the_cause_is_named_and_nothing_beside(fault, code, words):
    report = check(fault)
    assert {finding.code for finding in report.errors} == {code}, str(report)
    assert words in report.errors[0].message.lower()


def test_boxes_of_one_object_of_the_batch_alone_mix_no_images():
    class First(Loss):
        def boxes(self, own: Tensor, goal: Tensor) -> Tensor:
            return super().boxes(own, goal)[:1]

    report = check_loss(First(), LAYOUT, image_size=(64, 64), prepare=prepare, box_channels=range(4))
    assert {finding.code for finding in report.errors} <= {"no_gradient", "not_permutation_invariant"}, str(report)
    assert report.errors
