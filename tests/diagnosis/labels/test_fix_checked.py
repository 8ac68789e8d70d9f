"""From a check to a fix and back: what check_labels names is gone in the mended copy, whose boxes are right."""

import cv2
import numpy as np
import pytest
import yaml

import diagnosis
import surgery
from detectors import demo_weights, draw_scene
from diagnosis import Reading

from .planted import loaded, rows_text

HEIGHT, WIDTH = 120, 160
CORNER = Reading(format="xywh")


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Scenes of the demo detector whose corners are centres and whose ids are one too high: YAML, and what is right."""
    root = tmp_path_factory.mktemp("scenes")
    detector = surgery.load(demo_weights())
    names = dict(detector.model.names)
    right = {}
    for folder in ("images", "labels"):
        (root / folder).mkdir()
    for seed in range(24):
        scene, name = draw_scene(seed, (HEIGHT, WIDTH), 4), f"{seed:02}"
        cv2.imwrite(str(root / "images" / f"{name}.png"), scene.image[..., ::-1])
        boxes = scene.boxes / np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
        right[f"{name}.png"] = (scene.labels, boxes)
        quads = CORNER.written(boxes, (WIDTH, HEIGHT))
        ids = (scene.labels + 1) % len(names)
        (root / "labels" / f"{name}.txt").write_text(rows_text(quads, ids.tolist()))
    path = root / "data.yaml"
    path.write_text(yaml.safe_dump({"train": "images", "val": "images", "names": names}))
    return path, detector, right


def test_both_faults_are_named_mended_and_gone(planted, tmp_path):
    path, detector, right = planted
    report = diagnosis.check_labels(path, detector, imgsz=160, progress=False)
    assert {"corner_as_centre", "ids_shifted"} <= set(report.codes)
    made = diagnosis.fix_labels(report, report.data, tmp_path / "out", progress=False)
    found = loaded(made)
    assert found.keys() == right.keys()
    for name, (ids, boxes) in right.items():
        np.testing.assert_allclose(found[name][1], boxes, atol=2e-7)
        assert found[name][0].tolist() == ids.tolist()
    again = diagnosis.check_labels(made, detector, imgsz=160, progress=False)
    assert not {"corner_as_centre", "ids_shifted"} & set(again.codes) and again.mends == () and again.ok


def test_without_a_model_what_edges_name_is_mended_where_it_is_asked_for_and_gone(planted, tmp_path):
    path, _, right = planted
    report = diagnosis.check_labels(path, progress=False)
    assert [(finding.code, finding.severity) for finding in report] == [("corner_as_centre", "warning")]
    with pytest.raises(ValueError, match=r"one kind of evidence.*Look at viz.labels.*also=\['corner_as_centre'\]"):
        diagnosis.fix_labels(report, path, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
    made = diagnosis.fix_labels(report, path, tmp_path / "out", also="corner_as_centre", progress=False)
    for name, (_, boxes) in right.items():
        np.testing.assert_allclose(loaded(made)[name][1], boxes, atol=2e-7)
        break
    assert diagnosis.check_labels(made, progress=False).codes == ()
