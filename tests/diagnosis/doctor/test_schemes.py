"""No error on right encoders of the well-known schemes, at usual and at odd sizes."""

import pytest
import torch

from diagnosis import check_targets, infer_layout
from tests.diagnosis.doctor.schemes import CLASSES, schemes

SCHEMES = schemes()
LIGHT = ("yolov1", "yolov5", "yolox, simota untrained", "yolof", "centernet")
SEEN = ("yolov2", "fcos", "centernet")


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("name", LIGHT)
def test_right_encoders_have_no_error(name):
    report = check_targets(SCHEMES[name], SCHEMES[name].layout, image_sizes=((256, 384),))
    assert report.ok, str(report)
    assert not report.unexplained
    assert "nothing explains" not in report.description


@pytest.mark.long
@pytest.mark.parametrize("sizes", [((512, 512), (384, 640)), ((640, 384), (256, 256))])
@pytest.mark.parametrize("name", SCHEMES)
def test_right_encoders_have_no_error_at_any_size(name, sizes):
    report = check_targets(SCHEMES[name], SCHEMES[name].layout, image_sizes=sizes)
    assert report.ok, str(report)


@pytest.mark.parametrize("name", SEEN)
def test_the_layout_is_found_from_the_outputs_alone(name):
    declared, found = SCHEMES[name].layout, infer_layout(SCHEMES[name], num_classes=CLASSES)
    assert found.explained > 0.99
    for field in ("box", "format", "unit", "relative", "grid_offset", "size_unit", "size_function", "axes", "strides"):
        assert getattr(found.layout, field) == getattr(declared, field), field
    assert found.layout.class_channels == declared.class_channels
    assert found.layout.objectness == declared.objectness
    assert found.layout.class_values == declared.class_values
    if "prior" in (declared.unit, declared.size_unit):
        seen = torch.tensor(found.layout.anchors).flatten()
        assert torch.allclose(seen, torch.tensor(declared.anchors).flatten(), rtol=2e-3)
    assert found.code.startswith("TargetLayout(")


def test_an_encoder_that_says_nothing_is_refused():
    with pytest.raises(ValueError, match="Nothing in the outputs follows the objects"):
        infer_layout(lambda boxes, labels, size: [torch.zeros(9, size[0] // 8, size[1] // 8)])
    with pytest.raises(ValueError, match="No axes and strides fit"):
        infer_layout(lambda boxes, labels, size: torch.zeros(3))
    with pytest.raises(TypeError, match="A callable is needed"):
        infer_layout(3)
