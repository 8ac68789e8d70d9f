"""Mended copies of label files: exactly the boxes that are meant, all else to the byte, and the set itself untouched."""

import json

import numpy as np
import pytest

import diagnosis
from diagnosis import Reading

from .planted import data_yaml, loaded, plant, report_of

READINGS = [
    Reading(format="xywh"),
    Reading(order="axes_swapped"),
    Reading(order="wh_swapped", format="xyxy"),
    Reading(unit="px"),
    Reading(unit="px", format="xyxy"),
    Reading(unit="wrong_side"),
    Reading(unit=100.0),
    Reading(frame="letterbox"),
    Reading(turn="rotated_90_cw"),
    Reading(turn="flipped_vertically", size=0.5),
    Reading(shift=(0.03, -0.02), scale=(1.05, 0.97)),
]


def everything(root):
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def images_of(root):
    return sorted(root.rglob("*.png"))


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_ultralytics_loads_exactly_the_boxes_that_are_meant(tmp_path, reading):
    right = plant(tmp_path / "set", reading)
    path, before = data_yaml(tmp_path / "set"), everything(tmp_path / "set")
    made = diagnosis.fix_labels(report_of(images_of(tmp_path / "set"), reading=reading), path, tmp_path / "out")
    assert made == tmp_path / "out" / "data.yaml"
    found = loaded(made)
    assert found.keys() == right.keys()
    for name, boxes in right.items():
        np.testing.assert_allclose(found[name][1], boxes, atol=2e-7)
        assert found[name][0].tolist() == [0, 1, 2]
    assert {path: content for path, content in everything(tmp_path / "set").items() if path in before} == before
