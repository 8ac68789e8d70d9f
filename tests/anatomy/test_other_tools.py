"""Detections as other tools take them."""

import json

import numpy as np
import pytest

import anatomy


@pytest.fixture(scope="module")
def trace(build, picture):
    return anatomy.trace(build("yolov8n", picture), picture, conf=0.25, imgsz=128)


def test_coco_entries_hold_corner_and_sides_and_can_be_written(trace):
    found = trace.detections
    entries = trace.to_coco(image_id=7)
    assert len(entries) == len(found) > 1
    for entry, box, score, class_id in zip(entries, found.xyxy, found.confidence, found.class_id, strict=True):
        x, y, width, height = entry["bbox"]
        assert np.allclose((x, y, x + width, y + height), box, atol=1e-4)
        assert (entry["image_id"], entry["category_id"]) == (7, class_id) and entry["score"] == float(score)
    assert json.loads(json.dumps(entries)) == entries


def test_categories_are_looked_up_and_none_is_left_out(trace):
    classes = sorted(set(trace.detections.class_id.tolist()))
    entries = trace.to_coco(categories={index: index + 100 for index in classes})
    assert [entry["category_id"] - 100 for entry in entries] == trace.detections.class_id.tolist()
    with pytest.raises(ValueError, match=rf"has none for \[{classes[0]}"):
        trace.to_coco(categories={index: index for index in classes[1:]})


def test_a_file_named_by_a_number_is_that_image(build, picture, tmp_path):
    import cv2

    model = build("yolov8n", picture)
    for name, wanted in (("000000000143.jpg", 143), ("bus.jpg", "bus")):
        cv2.imwrite(str(tmp_path / name), picture)
        entries = anatomy.trace(model, tmp_path / name, conf=0.25, imgsz=128).to_coco()
        assert {entry["image_id"] for entry in entries} == {wanted}


def test_supervision_has_the_same_boxes_with_their_level(trace):
    pytest.importorskip("supervision")
    made = trace.to_supervision()
    assert np.array_equal(made.xyxy, trace.detections.xyxy) and np.array_equal(made.class_id, trace.detections.class_id)
    assert made.data["level_name"].tolist() == list(trace.detections.level_name)
    assert made.data["anchor"].tolist() == trace.detections.anchor.tolist()
    assert len(made[made.data["level"] == 0]) == (trace.detections.level == 0).sum()
