"""Decoders at several sizes and batches: right ones have no finding, each fault is named by its cause alone."""

import pytest
import torch

from diagnosis import TargetLayout, check_decoder
from diagnosis.doctor.boxes.writing import stored, unstored
from tests.diagnosis.doctor.faulty_decoders import CENTRES, FAULTS, RIGHT, SIDES, decoder

SIZES = ((192, 320), (256, 256))


@pytest.mark.parametrize("layout", [CENTRES, SIDES], ids=["centres", "sides"])
@pytest.mark.parametrize("what", RIGHT)
def test_right_decoders_have_no_finding(layout, what):
    report = check_decoder(decoder(layout, what), layout, image_sizes=SIZES)
    assert not report.findings, str(report)
    assert report.description == "all levels: boxes come out as the layout says"
    assert report.unexplained == 0


@pytest.mark.parametrize(("layout", "fault", "code"), FAULTS, ids=[fault for _, fault, _ in FAULTS])
def test_each_fault_is_named_by_its_cause_alone(layout, fault, code):
    report = check_decoder(decoder(layout, fault), layout, image_sizes=SIZES)
    assert [finding.code for finding in report.errors] == [code], str(report)


def test_two_departures_are_two_findings():
    report = check_decoder(decoder(CENTRES, "centre and size in shares given out"), CENTRES, image_sizes=SIZES)
    assert {finding.code for finding in report.errors} == {"wrong_box_format", "wrong_box_unit"}


def test_what_is_wrong_on_oblong_images_alone_is_told_so():
    report = check_decoder(decoder(CENTRES, "grid counts with the height"), CENTRES, image_sizes=SIZES)
    assert "on oblong images only" in report.findings[0].message


def test_whole_px_are_a_warning():
    report = check_decoder(decoder(CENTRES, "in whole px"), CENTRES, image_sizes=SIZES)
    assert (report.ok, report.codes) == (True, ("wrong_box",))


def test_anchors_and_log_sizes_in_a_flat_list_are_understood():
    priors = [[(10.0, 14.0), (24.0, 20.0)], [(30.0, 60.0), (62.0, 45.0)], [(90.0, 80.0), (120.0, 200.0)]]
    layout = TargetLayout.of("yolov3", classes=4, strides=(8, 16, 32), anchors=priors, axes="NC")

    def decode(outputs, size=(192, 320)):
        boxes, scores = [], []
        for level, (raw, stride) in enumerate(zip(unstored([outputs], layout, size), (8, 16, 32), strict=True)):
            raw = raw.permute(0, 3, 4, 1, 2)  # rows, columns, anchors, channels
            rows, columns = torch.meshgrid(*(torch.arange(count) for count in raw.shape[1:3]), indexing="ij")
            centre = (raw[..., :2] + torch.stack((columns, rows), -1)[:, :, None]) * stride
            half = raw[..., 2:4].exp() * torch.tensor(priors[level]) / 2
            boxes.append(torch.cat((centre - half, centre + half), -1).flatten(1, 3))
            scores.append((raw[..., 5:] * raw[..., 4:5]).flatten(1, 3))
        return torch.cat(boxes, 1), torch.cat(scores, 1)

    assert not check_decoder(decode, layout, image_size=(192, 320)).findings


@pytest.mark.parametrize("axes", ["CHW", "HWC", "ACHW", "AHWC", "HWAC", "AC,H,W", "NC", "LNC"])
def test_storage_is_read_back_as_it_was_written(axes):
    layout = TargetLayout.of("yolov5", classes=3, axes=axes)
    size = (64, 96)
    levels = [torch.randn(2, 3, 8, int(size[0] // stride), int(size[1] // stride)) for stride in layout.strides]
    back = unstored(stored([level.numpy() for level in levels], layout), layout, size)
    assert all(torch.equal(one, other) for one, other in zip(levels, back, strict=True))
