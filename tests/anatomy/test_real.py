"""The published experiment on real weights and photographs: values computed by hand with torch.roll."""

import json

import pytest
import torch

import anatomy
import surgery


@pytest.fixture(scope="module")
def reference(real):
    return json.loads((real / "reference.json").read_text())


@pytest.fixture(scope="module")
def model(real):
    return surgery.load(real / "weights" / "yolov8n_coco.pt")


def close(detections, expected):
    """Same detections up to those whose confidence lies within rounding of the threshold."""
    firm = [entry for entry in expected if entry["conf"] > 0.252]
    assert len(firm) <= len(detections) <= len(expected) + 2
    for entry in firm:
        same = [
            index
            for index in range(len(detections))
            if detections.class_id[index] == entry["cls"]
            and abs(detections.confidence[index] - entry["conf"]) < 2e-3
            and abs(detections.xyxy[index] - entry["xyxy"]).max() < 0.5
        ]
        assert same, entry
        assert detections.level_name[same[0]] == entry["level"]


def test_before_and_after_as_in_the_reference(model, real, reference):
    from ultralytics.utils import ASSETS

    assert len(reference["images"]) > 3
    for name, entry in reference["images"].items():
        path = next(
            path for path in (ASSETS / entry["path"], real / entry["path"], real / "images" / name) if path.exists()
        )
        before = anatomy.trace(model, path)
        close(before.detections, entry["before"])
        with surgery.scratch(model):
            surgery.shift_classes(model, level=1, k=1)
            surgery.shift_classes(model, level="P5", k=5)
            after = anatomy.trace(model, path)
            assert torch.equal(before.replay().result.boxes.data, after.result.boxes.data)
        close(after.detections, entry["after"])
        joined = anatomy.compare(before, after)
        shifts = {
            (before.detections.level_name[i], int(s))
            for i, s in zip(joined.before, joined.class_shift, strict=True)
            if s >= 0
        }
        assert shifts <= {("P3", 0), ("P4", 1), ("P5", 5)}


def test_rivals_of_another_level_are_what_the_shift_sets_free(model, real):
    before = anatomy.trace(model, real / "images" / "000000000143.jpg")
    with surgery.scratch(model):
        surgery.shift_classes(model, "P4", 1)
        surgery.shift_classes(model, "P5", 5)
        joined = anatomy.compare(before, before.replay())
    new = [row for row, status in enumerate(joined.status) if status == "new"]
    assert len(new) == 3
    assert all(joined.freed_from[row] >= 0 for row in new)


@pytest.mark.parametrize("weights", ["yolo11n_coco.pt", "yolo26n_coco.pt"])
def test_other_real_families_replay_bit_for_bit(real, weights):
    model = surgery.load(real / "weights" / weights)
    for args in [{}] if "11" in weights else [{}, {"nms": False}]:
        before = anatomy.trace(model, real / "images" / "000000000143.jpg", **args)
        assert len(before.detections) > 3
        surgery.shift_classes(model, "all", 3)
        fresh = model.predict(real / "images" / "000000000143.jpg", verbose=False, **args)[0]
        assert torch.equal(before.replay().result.boxes.data, fresh.boxes.data)
        surgery.reset(model)
