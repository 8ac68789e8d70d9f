"""What levels and rows are worth, against rows that are silenced for real and validated by Ultralytics."""

import numpy as np
import pytest
import torch

import surgery
from diagnosis.surveys.evaluation import evaluation_rows, scores, worth
from diagnosis.surveys.evaluation.scoreboard import SCORES
from diagnosis.surveys.evaluation.table import POOL
from tests.diagnosis.surveys.evaluation.by_hand import a_set, evaluated
from tests.diagnosis.surveys.evaluation.validation import (
    copy_of_photographs,
    small_set,
    survey_by_validation,
    validated,
    with_small_boxes,
)
from tests.ultralytics_nets import small

KINDS = pytest.mark.parametrize(
    ("name", "arguments"), [("yolov8n", {"imgsz": 320}), ("yolo26n", {"imgsz": 320, "nms": False})]
)
ULTRALYTICS = ["mAP50", "mAP50_95"]


def silenced(model, row, data, folder, **arguments):
    """Ultralytics' own numbers of the model without a level or a row."""
    with surgery.scratch(model):
        if row["class_id"] is None:
            surgery.mute_level(model, row["level"])
        else:
            surgery.zero_classes(model, row["level"], row["class_id"])
        return validated(model, data, folder, **arguments)


def plain_rows(survey):
    """(n, 6) what the survey says that validation keeps, image after image."""
    frame = survey.evaluation.collect()
    frame = frame.filter((frame["variant"] == -1) & ~frame["cut"])
    return frame.select("x1", "y1", "x2", "y2", "confidence", "class_id").to_numpy()


def test_variants_of_a_small_network_are_what_validation_says(picture, tmp_path):
    model = with_small_boxes(small("yolov8n", picture, classes=3), picture)
    arguments = {"imgsz": 128, "max_det": 30, "rect": False}
    data = small_set(model, tmp_path / "set", images=6, **arguments)
    survey, listener = survey_by_validation(model, data, tmp_path / "runs", **arguments)
    assert np.array_equal(plain_rows(survey), np.concatenate([kept.numpy() for kept in listener.kept]))
    plain = scores(survey)
    assert [plain[name] for name in ULTRALYTICS] == pytest.approx(list(validated(model, data, tmp_path, **arguments)))
    assert plain["mAP50"] > 0.05
    without = worth(survey)
    assert without.height == len(survey.levels) * 4
    for row in without.rows(named=True)[::2]:  # each level, and its row of class 1
        expected = silenced(model, row, data, tmp_path, **arguments)
        assert [row[name] for name in ULTRALYTICS] == pytest.approx(list(expected), abs=1e-9)


@pytest.mark.long
@KINDS
def test_variants_of_real_networks_are_what_validation_says(name, arguments, real, tmp_path):
    from ultralytics import YOLO

    model = YOLO(real / "weights" / f"{name}_coco.pt")
    data = copy_of_photographs(real, tmp_path / "set", 8)
    survey, listener = survey_by_validation(model, data, tmp_path / "runs", **arguments)
    assert np.array_equal(plain_rows(survey), np.concatenate([kept.numpy() for kept in listener.kept]))
    assert (POOL in survey.evaluation.collect()["variant"]) == ("nms" in arguments)
    without = worth(survey).sort("delta_mAP50_95")
    of_levels = without.filter(without["class_id"].is_null())
    of_rows = without.filter(without["class_id"].is_not_null())
    for row in of_levels.rows(named=True) + of_rows.rows(named=True)[:5]:
        expected = silenced(model, row, data, tmp_path, **arguments)
        assert [row[name] for name in ULTRALYTICS] == pytest.approx(list(expected), abs=1e-6)


def test_what_a_level_is_worth_on_one_object_found_by_two_levels():
    # the box of P4 is the object; that of P3 overlaps it by 50 / 65, so NMS removes it
    boxes = torch.tensor([(10.0, 10, 60, 75), (10, 10, 60, 60), (0, 0, 9, 9)])
    likely = torch.tensor([(0.5, 0.9, 0), (0, 0, 0)])
    rows = evaluation_rows(boxes, likely, torch.arange(3), ablation=True)
    survey = evaluated(rows, [(0, 0, (10, 10, 60, 60))], names=("cat", "dog"), side=100, max_det=300)
    frame = worth(survey)
    assert frame.columns[:4] == ["level", "level_name", "class_id", "class_name"]
    assert frame.columns[4:] == [*SCORES, *(f"delta_{name}" for name in SCORES)]
    of_levels = frame.filter(frame["class_id"].is_null())
    assert of_levels["level_name"].to_list() == ["P3", "P4", "P5"]
    assert of_levels["class_name"].to_list() == [None, None, None]
    assert of_levels["AP"].to_list() == pytest.approx([1, 0.6, 1])
    assert of_levels["delta_AP"].to_list() == pytest.approx([0, -0.4, 0])
    rows = frame.filter(frame["class_id"].is_not_null())
    assert rows.select("level_name", "class_name").rows() == [
        (level, name) for level in ("P3", "P4", "P5") for name in ("cat", "dog")
    ]
    assert rows["delta_AP"].to_list() == pytest.approx([0, 0, -0.4, 0, 0, 0])
    assert rows["delta_APm"].to_list() == pytest.approx([0, 0, -0.4, 0, 0, 0])
    assert np.isnan(rows["delta_APl"].to_numpy()).all()


def test_worth_needs_an_ablation():
    with pytest.raises(ValueError, match="made with ablation=True, but this one was made without"):
        worth(a_set([(0, 0, (10, 10, 60, 60))]))
