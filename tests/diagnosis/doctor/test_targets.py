"""The doctor on right encoders, on several faults at once, and on encoders that misbehave."""

from dataclasses import replace

import pytest
import torch

from diagnosis import TargetLayout, check_targets
from tests.diagnosis.doctor.encoders import STRIDES, styles, task_aligned
from tests.diagnosis.doctor.mutants import Encoder
from tests.diagnosis.doctor.published import PUBLISHED
from tests.diagnosis.doctor.published import encode as published

SMALL = ((256, 256), (192, 320))
STYLES = {style.name: style for style in styles()}
STYLES["tal, perfect predictions"] = replace(STYLES["tal"], masks=task_aligned("perfect"))


def errors(report):
    return {finding.code for finding in report.errors}


@pytest.mark.parametrize(
    ("name", "sizes"), [("tal, perfect predictions", ((256, 160),)), ("yolov3", ((256, 160),)), ("fcos", ((160, 256),))]
)
def test_right_encoders_have_no_error(name, sizes):
    report = check_targets(Encoder(STYLES[name]), STYLES[name].layout, image_sizes=sizes)
    assert report.ok, str(report)


def test_what_a_scheme_cannot_avoid_is_a_warning():
    report = check_targets(Encoder(STYLES["yolov3"]), STYLES["yolov3"].layout, image_sizes=SMALL)
    shared = [finding for finding in report.warnings if finding.code == "object_lost"]
    assert "share all their cells" in shared[0].message


def test_a_scheme_that_uses_every_level_is_told_so():
    report = check_targets(Encoder(STYLES["yolox"]), STYLES["yolox"].layout, image_sizes=SMALL)
    assert "all_levels_assigned" in report.codes


def test_the_published_encoder_is_fully_named():
    report = check_targets(published, PUBLISHED)
    assert errors(report) == {
        "axes_swapped",
        "saturated_offset",
        "scrambled_layout",
        "class_leak",
    }
    assert [finding.code for finding in report.warnings] == ["all_levels_assigned"]
    swapped = next(finding for finding in report.errors if finding.code == "axes_swapped")
    assert swapped.level is None
    assert "edge_crash" in swapped.consequences  # cells outside the grid follow from it


@pytest.mark.parametrize(
    ("faults", "codes"),
    [
        (("class index one too high", "another unit"), {"class_wrong", "wrong_box_unit"}),
        (("column one too far", "class index one too high"), {"off_by_one_cell", "class_wrong"}),
        (
            ("anchor points at the corners of cells", "both classes set in a shared cell", "another unit"),
            {"half_cell_offset", "class_leak", "wrong_box_unit"},
        ),
    ],
)
def test_several_faults_are_all_named(faults, codes):
    style = STYLES["yolov5"]
    assert errors(check_targets(Encoder(style, *faults), style.layout, image_sizes=SMALL)) == codes


def test_a_fault_of_one_level_names_the_level():
    style = STYLES["yolox"]
    encode = Encoder(style, "middle level uses the finest stride")
    (finding,) = check_targets(encode, style.layout, image_sizes=SMALL).errors
    assert (finding.code, finding.level) == ("wrong_stride", 1)
    assert finding.evidence


LAYOUT = TargetLayout(classes=slice(5, 8))


def blank(image_size):
    return [torch.zeros(8, image_size[0] // s, image_size[1] // s) for s in STRIDES]


def refuse(boxes, labels, image_size):
    raise KeyError("nothing")


MISBEHAVIOUR = {
    "raises always": (refuse, {"raises"}),
    "returns nothing": (lambda boxes, labels, size: None, {"wrong_output"}),
    "returns numbers": (lambda boxes, labels, size: [1, 2, 3], {"wrong_output"}),
    "one level too few": (lambda boxes, labels, size: blank(size)[1:], {"wrong_output"}),
    "too few channels": (lambda boxes, labels, size: [t[:4] for t in blank(size)], {"wrong_output"}),
    "a batch dimension": (lambda boxes, labels, size: [t[None] for t in blank(size)], {"wrong_output"}),
    "always one shape": (lambda boxes, labels, size: blank((96, 96)), {"wrong_output"}),
    "nothing but zeros": (lambda boxes, labels, size: blank(size), {"object_lost"}),
    "nothing but NaN": (lambda boxes, labels, size: [t * torch.nan for t in blank(size)], {"non_finite"}),
    "noise": (lambda boxes, labels, size: [torch.rand_like(t) for t in blank(size)], None),
    "ones everywhere": (lambda boxes, labels, size: [torch.ones_like(t) for t in blank(size)], None),
}


@pytest.mark.parametrize("name", MISBEHAVIOUR)
def test_encoders_that_misbehave_are_findings_and_never_crash_the_doctor(name):
    encode, codes = MISBEHAVIOUR[name]
    report = check_targets(encode, LAYOUT, image_sizes=((128, 128), (96, 160)))
    assert not report.ok
    if codes is not None:
        assert codes <= errors(report)


def test_bad_arguments_are_refused_at_the_door():
    with pytest.raises(TypeError, match="A callable and a TargetLayout"):
        check_targets(None, LAYOUT)
    with pytest.raises(ValueError, match="multiples of the coarsest stride 32"):
        check_targets(refuse, LAYOUT, image_sizes=((100, 64),))
    with pytest.raises(ValueError, match="different channels"):
        TargetLayout(box=(0, 1, 2, 4))


def test_it_is_deterministic():
    style = STYLES["fcos"]
    one, other = (check_targets(Encoder(style), style.layout, image_sizes=((96, 160),)) for _ in range(2))
    assert str(one) == str(other)
