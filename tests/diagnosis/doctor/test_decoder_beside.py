"""What else is wrong with a decoder is seen beside background, lost images, lost predictions and what a class keeps."""

from functools import cache

import pytest
import torch
from torch import Tensor

from diagnosis import Report, TargetLayout, check_decoder

CLASSES, STRIDE, LEAST = 3, 16, 0.25
SIZES = ((96, 160), (128, 128))
LAYOUT = TargetLayout(
    format="cxcywh",
    unit="stride",
    relative=True,
    grid_offset=0.5,
    classes=(4, 5, 6),
    objectness=None,
    strides=(STRIDE,),
)


@cache
def grid(rows: int, cols: int) -> Tensor:
    """(h, w, 2) px."""
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    return torch.stack((x, y), -1).float() * STRIDE


class Boxes:
    def __init__(self, faults: str):
        self.faults = faults

    def __call__(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes (B, N, 4) and probabilities (B, N, classes)."""
        values = level.permute(0, 2, 3, 1)
        points = grid(*level.shape[2:])
        points = points.add_(STRIDE / 2) if "points kept" in self.faults else points + STRIDE / 2
        offset = STRIDE / 2 if "half a cell" in self.faults else 0
        centre, size = values[..., :2] * STRIDE + points + offset, values[..., 2:4] * STRIDE
        last = centre if "centre as corner" in self.faults else centre + size / 2
        return torch.cat((centre - size / 2, last), -1).flatten(1, 2), values[..., 4:].flatten(1, 2)


def dense(level: Tensor, faults: str) -> tuple[Tensor, Tensor]:
    boxes, scores = Boxes(faults)(level)
    if "background" in faults:
        scores = torch.cat((1 - scores.sum(-1, keepdim=True), scores), -1)
    return boxes, scores.log() if "logarithm" in faults else scores


def selected(level: Tensor, faults: str) -> list[Tensor]:
    found = []
    for boxes, scores in zip(*Boxes(faults)(level), strict=True):
        score, label = scores.max(-1)
        kept = score > LEAST
        rows = torch.cat((boxes, score[:, None], label[:, None]), 1)[kept]
        if "last of a class" in faults:
            rows = torch.stack(list({int(row[5]): row for row in rows}.values())) if len(rows) else rows
        if len(rows) or "left out" not in faults:
            found.append(rows)
    return found


def checked(faults: str, form: str) -> Report:
    grid.cache_clear()
    decode = {"dense": dense, "selected": selected}[form]

    def asked(outputs: list[Tensor]):
        return decode(outputs[0], faults)

    return check_decoder(asked, LAYOUT, image_sizes=SIZES)


@pytest.mark.parametrize("form", ["dense", "selected"])
def test_the_right_one_is_left_in_peace(form: str):
    assert not list(checked("", form))


@pytest.mark.parametrize(
    ("faults", "form", "codes"),
    [
        ("background", "dense", {"class_leak"}),
        ("background, centre as corner", "dense", {"class_leak", "wrong_box_format"}),
        ("logarithm", "dense", {"wrong_output"}),
        ("logarithm, half a cell", "dense", {"wrong_output", "half_cell_offset"}),
        ("left out", "selected", {"wrong_output"}),
        ("left out, half a cell", "selected", {"wrong_output", "half_cell_offset"}),
        ("last of a class, half a cell", "selected", {"object_lost", "half_cell_offset"}),
    ],
)
def test_each_cause_is_named_once(faults: str, form: str, codes: set[str]):
    report = checked(faults, form)
    assert {finding.code for finding in report if finding.severity == "error"} == codes, str(report)


def decode_kept(outputs: list[Tensor]):
    return Boxes("points kept, centre as corner")(outputs[0])


def test_what_a_function_that_a_class_uses_keeps_is_kept_apart():
    grid.cache_clear()
    report = check_decoder(decode_kept, LAYOUT, image_sizes=SIZES)
    assert {finding.code for finding in report if finding.severity == "error"} == {"state_leak", "wrong_box_format"}
    grid.cache_clear()
