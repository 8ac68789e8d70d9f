"""Decoders with two faults in one box, in what they keep, in their lists, and in scores that are hard to see."""

import pytest
import torch
from torch import Tensor

from diagnosis import Report, check_decoder
from tests.diagnosis.doctor.prior_layout import PRIORS, STRIDES, layout_of_priors

CLASSES = 3
LAYOUT = layout_of_priors(CLASSES)


def decode_level(level: Tensor, index: int, faults: str) -> tuple[Tensor, Tensor]:
    """Boxes (B, h, w, A, 4) and scores (B, h, w, A, classes) of (B, A * C, h, w)."""
    batch, _, rows, cols = level.shape
    values = level.view(batch, 2, -1, rows, cols).permute(0, 3, 4, 1, 2)
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    cell = torch.stack((y, x) if "turned" in faults else (x, y), -1)[:, :, None]
    stride = 160 // cols if "by the width" in faults else STRIDES[index]
    prior = torch.tensor(PRIORS[index])[:, [1, 0]] if "high by wide" in faults else torch.tensor(PRIORS[index])
    centre = (values[..., :2] + cell) * stride
    log = values[..., 2:4]
    size = (1 + log if "no exponential" in faults else log.exp()) * prior
    objectness, classes = values[..., 4:5], values[..., 5:]
    if "next anchor" in faults:
        objectness = objectness.roll(1, 3)
    elif "counted twice" in faults:
        objectness = objectness.square()
    elif "hardly counted" in faults:
        objectness = objectness.sigmoid()
    elif "shares" in faults:
        classes = classes / classes.sum(-1, keepdim=True)
    return torch.cat((centre - size / 2, centre + size / 2), -1), objectness * classes


def checked(faults: str) -> Report:
    def decode(outputs: list[Tensor], found=[]):  # noqa: B006
        pairs = [decode_level(level, index, faults) for index, level in enumerate(outputs)]
        boxes, scores = (torch.cat([part.flatten(1, 3) for part in parts], 1) for parts in zip(*pairs, strict=True))
        if "a list as default" in faults:
            found.append((boxes, scores))
            boxes, scores = (torch.cat(part, 1) for part in zip(*found, strict=True))
        return (boxes[:1], scores[:1]) if "first image" in faults else (boxes, scores)

    return check_decoder(decode, LAYOUT, image_sizes=((96, 160), (128, 128)))


def test_the_right_one_is_left_in_peace():
    assert not list(checked(""))


@pytest.mark.parametrize(
    ("faults", "codes"),
    [
        ("no exponential, turned", {"wrong_box_unit", "axes_swapped"}),
        ("high by wide, next anchor", {"axes_swapped", "objectness_wrong"}),
        ("first image, by the width", {"wrong_output", "wrong_stride"}),
        ("a list as default, turned", {"state_leak", "axes_swapped"}),
        ("counted twice", {"objectness_wrong"}),
        ("hardly counted", {"objectness_wrong"}),
        ("shares", {"non_finite"}),
    ],
)
def test_each_cause_is_named_once(faults, codes):
    report = checked(faults)
    assert {finding.code for finding in report.errors} == codes, str(report)
