"""Causes of a decoder's boxes that are measured from what comes, and decoders that must be left in peace."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from diagnosis import TargetLayout, check_decoder

STRIDES, BINS = (8, 16), 16
SIDES = TargetLayout(format="ltrb", unit="stride", objectness=None, classes=slice(4, 7), strides=STRIDES)
LOGS = TargetLayout(
    format="cxcywh",
    unit="stride",
    relative=True,
    size_function="log",
    objectness=None,
    classes=slice(4, 7),
    strides=STRIDES,
)
SIZES = ((128, 192), (160, 160))


def decoder(layout: TargetLayout, fault: str = "") -> Callable:
    def decode(outputs):
        boxes, scores = [], []
        for level, stride in zip(outputs, STRIDES, strict=True):
            box, score = one_level(level, float(stride), layout, fault)
            boxes.append(box)
            scores.append(score)
        box, score = torch.cat(boxes, 2).permute(0, 2, 1), torch.cat(scores, 2).permute(0, 2, 1)
        if fault == "images in the opposite order":
            return box.flip(0), score.flip(0)
        if fault == "images beside each other, then viewed":
            box = box.transpose(0, 1).reshape(box.shape)
        return (box.trunc() if fault == "cut to whole px" else box), score

    return decode


def one_level(level: Tensor, stride: float, layout: TargetLayout, fault: str) -> tuple[Tensor, Tensor]:
    rows, cols = level.shape[2:]
    whole = torch.tensor([cols, rows]).view(2, 1, 1) * stride
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
    points = (torch.stack((x, y)) + layout.grid_offset) * stride
    if fault == "points by the other side":
        points = points / whole * whole.flip(0)
    if fault == "points in cells":
        points = points / stride
    if fault == "points from edge to edge":
        points = torch.stack((x / (cols - 1), y / (rows - 1))) * whole
    score = level[:, -3:].flatten(2)
    if fault == "classes one down, the first lost":
        score = torch.cat((score[:, 1:], score[:, :1] * 0), 1)
    box = corners(level, points, stride, layout, fault)
    return (box + 16 if fault == "moved by 16 px" else box).flatten(2), score


def corners(level: Tensor, points: Tensor, stride: float, layout: TargetLayout, fault: str) -> Tensor:
    """(B, 4, h, w) xyxy px."""
    if layout.format == "ltrb":
        side = level[:, :4] if level.shape[1] == 7 else expected(level[:, : 4 * BINS], fault)
        return torch.cat((points - side[:, :2] * stride, points + side[:, 2:] * stride), 1)
    centre, half = points + level[:, :2] * stride, level[:, 2:4].exp() * stride / 2
    half = half / 2 if fault == "sizes halved" else half
    if fault == "sizes of the next stride on the finest level" and stride == STRIDES[0]:
        half = half * 2
    return torch.cat((centre - half, centre + half), 1)


def expected(raw: Tensor, fault: str) -> Tensor:
    """Bins (B, 4 * bins, h, w) as sides."""
    bins = raw.unflatten(1, (BINS, 4)).transpose(1, 2) if fault == "bins before sides" else raw.unflatten(1, (4, BINS))
    side = (bins.softmax(2) * torch.arange(BINS).view(BINS, 1, 1)).sum(2)
    return side + 1 if fault == "bins counted from 1" else side


def as_bins(outputs: list[Tensor]) -> list[Tensor]:
    made = []
    for level in outputs:
        side = level[:, :4].clamp(0, BINS - 1.001)
        share = (1 - (side.unsqueeze(2) - torch.arange(BINS).view(BINS, 1, 1)).abs()).clamp(min=1e-9)
        made.append(torch.cat((share.log().flatten(1, 2), level[:, 4:]), 1))
    return made


@pytest.mark.parametrize(
    ("layout", "fault", "codes"),
    [
        (SIDES, "images in the opposite order", ["mixed_batch"]),
        (SIDES, "images beside each other, then viewed", ["mixed_batch"]),
        (LOGS, "points by the other side", ["image_size_swapped"]),
        (SIDES, "points in cells", ["wrong_box_unit"]),
        (SIDES, "points from edge to edge", ["wrong_stride"]),
        (LOGS, "sizes halved", ["wrong_box_format"]),
        (LOGS, "sizes of the next stride on the finest level", ["wrong_stride"]),
        (SIDES, "cut to whole px", ["wrong_box"]),
        (SIDES, "moved by 16 px", ["wrong_box"]),
        (SIDES, "classes one down, the first lost", ["class_wrong"]),
    ],
)
def test_the_cause_alone_is_an_error(layout, fault, codes):
    report = check_decoder(decoder(layout, fault), layout, image_sizes=SIZES)
    assert [finding.code for finding in report.errors] == codes, str(report)


@pytest.mark.parametrize(
    ("fault", "codes"), [("", []), ("bins before sides", ["scrambled_layout"]), ("bins counted from 1", ["wrong_box"])]
)
def test_bins_are_read_in_the_order_in_which_they_are_taken(fault, codes):
    report = check_decoder(decoder(SIDES, fault), SIDES, image_sizes=SIZES, prepare=as_bins)
    assert [finding.code for finding in report.errors] == codes, str(report)


def test_a_fault_beside_mixed_images_is_named_too():
    def decode(outputs):
        box, score = decoder(SIDES)(outputs)
        return box.flip(0)[..., [1, 0, 3, 2]], score.flip(0)

    report = check_decoder(decode, SIDES, image_sizes=SIZES)
    assert {finding.code for finding in report.errors} == {"mixed_batch", "axes_swapped"}, str(report)


PRIORS = (((10.0, 13.0), (33.0, 23.0)), ((30.0, 61.0), (59.0, 119.0)))
FIVE = TargetLayout.of("yolov5", classes=3, strides=STRIDES, anchors=PRIORS, axes="ACHW")


def as_logits(outputs: list[Tensor]) -> list[Tensor]:
    """What a head of YOLOv5 puts out: no centre farther than half a cell outside, no side beyond four priors."""
    made = []
    for level, priors, stride in zip(outputs, PRIORS, STRIDES, strict=True):
        ratio = level[:, :, 2:4] * stride / torch.tensor(priors).view(1, 2, 2, 1, 1)
        parts = ((level[:, :, :2] + 0.5) / 2, ratio.clamp(1e-6, 3.99).sqrt() / 2, level[:, :, 4:])
        made.append(torch.cat(parts, 2).clamp(1e-4, 1 - 1e-4).logit())
    return made


@pytest.mark.parametrize(
    ("priors", "codes"),
    [
        (PRIORS, []),
        (PRIORS[::-1], ["levels_reversed"]),
        (tuple(tuple((h, w) for w, h in level) for level in PRIORS), ["axes_swapped"]),
    ],
)
def test_what_a_head_cannot_say_is_not_asked_and_other_priors_are_known(priors, codes):
    def decode(outputs):
        boxes, scores = [], []
        for raw, level, stride in zip(outputs, priors, STRIDES, strict=True):
            shown = raw.sigmoid().permute(0, 1, 3, 4, 2)
            y, x = torch.meshgrid(torch.arange(raw.shape[3]), torch.arange(raw.shape[4]), indexing="ij")
            centre = (shown[..., :2] * 2 - 0.5 + torch.stack((x, y), -1)) * stride
            half = (2 * shown[..., 2:4]).square() * torch.tensor(level).view(1, 2, 1, 1, 2) / 2
            boxes.append(torch.cat((centre - half, centre + half), -1).flatten(1, 3))
            scores.append((shown[..., 5:] * shown[..., 4:5]).flatten(1, 3))
        return torch.cat(boxes, 1), torch.cat(scores, 1)

    report = check_decoder(decode, FIVE, image_sizes=SIZES, prepare=as_logits)
    assert [finding.code for finding in report.errors] == codes, str(report)


@pytest.mark.parametrize(("fault", "ok"), [("", True), ("sizes halved", False)])
def test_outputs_of_several_tensors_a_level_are_asked_as_plain_ones_are(fault, ok):
    def apart(levels):
        return [{"box": level[:, :4], "classes": level[:, 4:]} for level in levels]

    plain = decoder(LOGS, fault)
    whole = lambda levels: plain([torch.cat((one["box"], one["classes"]), 1) for one in levels])  # noqa: E731
    report = check_decoder(whole, LOGS, image_sizes=SIZES, prepare=apart)
    assert report.ok == ok and report.codes == check_decoder(plain, LOGS, image_sizes=SIZES).codes


def test_a_decoder_is_given_the_mend_of_a_decoder():
    report = check_decoder(lambda levels: None, SIDES, image_sizes=SIZES)
    (finding,) = report.errors
    assert finding.code == "wrong_output" and "but NoneType came" in finding.message
    assert finding.message.endswith("Return one of these.")
