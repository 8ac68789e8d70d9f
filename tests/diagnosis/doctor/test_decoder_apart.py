"""Boxes whose centres and sides go wrong each in its own way; functions that are measured, cuts, and lost scores."""

import pytest
import torch
from torch import Tensor

from diagnosis import Report, check_decoder
from tests.diagnosis.doctor.prior_layout import PRIORS, STRIDES, layout_of_priors

CLASSES = 4
LAYOUT = layout_of_priors(CLASSES)


def decode_level(level: Tensor, index: int, fault: str) -> tuple[Tensor, Tensor]:
    """Boxes (B, A * h * w, 4) and scores (B, A * h * w, classes) of (B, A * C, h, w)."""
    batch, _, rows, cols = level.shape
    if fault == "cells without a permutation":
        values = level.reshape(batch, 2, rows, cols, -1)
    else:
        values = level.view(batch, 2, -1, rows, cols).permute(0, 1, 3, 4, 2)
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    cell, stride = torch.stack((x, y), -1), STRIDES[0] if fault == "stride of the first" else STRIDES[index]
    prior = torch.tensor(PRIORS[index]).view(1, 2, 1, 1, 2)
    centre = (values[..., :2] + cell) * stride
    log = values[..., 2:4].clamp(max=0.0) if fault == "logarithms cut at 0" else values[..., 2:4]
    size = log.exp() * prior
    if fault == "places without the stride":
        centre = values[..., :2] + cell
    elif fault == "a quarter of the size":
        size = size / 4
    elif fault == "another function of the size":
        size = (1 + log.exp()).log() * prior
    elif fault == "half a cell on level 1" and index == 1:
        centre = centre + stride / 2
    scores = values[..., 5:] * values[..., 4:5]
    scores = 1 - scores if fault == "upside down" else scores
    if fault == "a softmax of probabilities":
        scores = (values[..., 5:]).softmax(-1)
    boxes = torch.cat((centre - size / 2, centre + size / 2), -1)
    return boxes.reshape(batch, -1, 4), scores.reshape(batch, -1, CLASSES)


def checked(fault: str) -> Report:
    def decode(outputs):
        pairs = [decode_level(level, index, fault) for index, level in enumerate(outputs)]
        boxes, scores = (torch.cat(part, 1) for part in zip(*pairs, strict=True))
        return boxes, scores

    return check_decoder(decode, LAYOUT, image_sizes=((128, 192), (160, 160)))


def test_the_right_one_is_left_in_peace():
    assert not list(checked(""))


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("places without the stride", "wrong_box_unit", "Centres come out in strides"),
        ("a quarter of the size", "wrong_box_unit", "Sizes come out multiplied by 0.25"),
        ("another function of the size", "wrong_box_unit", "Sizes come out as another function of those given"),
        ("logarithms cut at 0", "range_ceiling", "The channels of sizes are cut at 0"),
        ("half a cell on level 1", "half_cell_offset", ""),
        ("cells without a permutation", "scrambled_layout", ""),
        ("a softmax of probabilities", "objectness_wrong", "Cells without an object come out with a score"),
        ("upside down", "objectness_wrong", "Cells without an object come out with a score of 1"),
    ],
)
def test_each_fault_is_one_error(fault: str, code: str, words: str):
    errors = [found for found in checked(fault) if found.severity == "error"]
    assert [found.code for found in errors] == [code]
    assert errors[0].message.startswith(words)


def test_levels_of_one_cause_stand_in_one_finding():
    def decode(outputs):
        wrong = ["half a cell on level 1", "half a cell on level 1"]
        pairs = [decode_level(level, index, wrong[index]) for index, level in enumerate(outputs)]
        return tuple(torch.cat(part, 1) for part in zip(*pairs, strict=True))

    (found,) = check_decoder(decode, LAYOUT, image_sizes=((128, 192),))
    assert found.level == 1
