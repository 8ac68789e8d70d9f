"""A survey of any family: its rows are those of trace and missed, and its variants those of silenced levels."""

import cv2
import numpy as np
import polars
import pytest

import anatomy
import diagnosis
from tests.contract.rows import PICTURE

SAME = ("class_id", "class_name", "level", "level_name", "row", "col", "anchor", "branch")


@pytest.fixture
def asked(family):
    """Thresholds and size that a survey must be told; a family's further arguments go along."""
    given = {name: value for name, value in family.args.items() if value is not None}
    return {"conf": 0.3, "iou": 0.5, "imgsz": 256, "progress": False} | given


@pytest.fixture
def labelled(tmp_path, model, asked):
    """The picture in a folder, labelled with a box of every other detection, each a little too wide."""
    thresholds = {name: value for name, value in asked.items() if name != "progress"}
    found = anatomy.trace(model, PICTURE, **thresholds).detections
    cv2.imwrite(str(tmp_path / "picture.png"), PICTURE)
    height, width = PICTURE.shape[:2]
    lines = []
    for box, label in zip(found.xyxy[::2].astype(float), found.class_id[::2].tolist(), strict=True):
        x1, y1, x2, y2 = box.clip(0, (width, height, width, height))
        if x2 - x1 > 2 and y2 - y1 > 2:
            wide = min(width, x2 + 0.1 * (x2 - x1)) - x1
            centre = ((x1 + wide / 2) / width, (y1 + y2) / 2 / height)
            lines.append(f"{label} {centre[0]} {centre[1]} {wide / width} {(y2 - y1) / height}\n")
    (tmp_path / "picture.txt").write_text("".join(lines))
    return tmp_path


def test_its_rows_are_those_of_trace_and_missed(family, model, asked, labelled, tmp_path):
    if anatomy.describe(model).rotated:
        with pytest.raises(anatomy.UnsupportedModelError, match="upright boxes"):
            diagnosis.survey(model, labelled, tmp_path / "out", frames="predict", **asked)
        return
    survey = diagnosis.survey(model, labelled, tmp_path / "out", frames="predict", **asked)
    thresholds = {name: value for name, value in asked.items() if name != "progress"}
    trace = anatomy.trace(model, PICTURE, **thresholds)
    rows, theirs = survey.detections.collect(), trace.to_df()
    assert len(rows) > 5
    for name in SAME:
        assert rows[name].to_list() == theirs[name].to_list(), name
    for name in ("confidence", "x1", "y1", "x2", "y2", "center_x", "center_y"):
        np.testing.assert_allclose(rows[name].to_numpy(), theirs[name].to_numpy(), rtol=0, atol=1e-4)
    result = diagnosis.missed(trace, diagnosis.read_labels(labelled)[0], conf=asked["conf"])
    objects = survey.objects.collect()
    assert len(objects) > 2
    assert objects["found"].to_list() == (result.found >= 0).tolist()
    assert objects["stage"].to_list() == [result.stage(i) for i in range(len(result))]
    assert rows["correct"].sum() == (result.found >= 0).sum() > 0


def test_with_a_level_muted_it_keeps_what_the_silenced_trace_keeps(family, model, asked, labelled, tmp_path):
    head = anatomy.describe(model)
    if head.rotated:
        pytest.skip("a survey refuses rotated boxes, which the test above holds")
    survey = diagnosis.survey(model, labelled, tmp_path / "out", frames="predict", ablation=True, **asked)
    worth = survey.worth()
    assert set(worth["level_name"]) == {level.name for level in head.levels}
    assert worth.filter(polars.col("class_name").is_null()).height == len(head.levels)
    if type(head).evaluated is anatomy.Head.evaluated:  # the family's own selection stands for that of validation
        thresholds = {name: value for name, value in asked.items() if name not in ("progress", "conf")}
        trace = anatomy.trace(model, PICTURE, conf=0.001, **thresholds)
        for level in head.levels:
            kept = survey.evaluation.filter(polars.col("variant") == level.index).collect()
            silenced = trace.silenced(level.index).detections
            assert kept["anchor"].to_list() == silenced.anchor.tolist()
            assert kept["class_id"].to_list() == silenced.class_id.tolist()
