"""Real photographs and real weights: right labels are left alone, and what is planted in them is named and mended."""

import shutil

import numpy as np
import pytest
from ultralytics import YOLO

import diagnosis
from anatomy.head.images import read_image
from diagnosis import Reading

PHOTOGRAPHS = 16
IMGSZ = 320


@pytest.fixture(scope="module")
def planted(real, tmp_path_factory):
    """The data YAML of some photographs, and of the same whose corners are centres and whose ids are one too high."""
    source, root = real / "coco128", tmp_path_factory.mktemp("photographs")
    names = diagnosis.read_labels(source / "data.yaml").names
    paths = {}
    for kind in ("right", "wrong"):
        for labels in list(diagnosis.read_labels(source / "data.yaml"))[1 : 2 * PHOTOGRAPHS : 2]:
            height, width = read_image(str(labels.image)).shape[:2]
            for folder in ("images", "labels"):
                (root / kind / folder).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(labels.image, root / kind / "images" / labels.image.name)
            boxes = labels.boxes(width, height) / np.tile((width, height), 2)
            reading = Reading(format="xywh") if kind == "wrong" else Reading()
            quads = reading.written(boxes, (width, height))
            ids = labels.class_id + (kind == "wrong")
            lines = [f"{i} " + " ".join(f"{n:.6f}" for n in quad) for i, quad in zip(ids, quads, strict=True)]
            (root / kind / "labels" / f"{labels.image.stem}.txt").write_text("\n".join(lines))
        paths[kind] = root / kind / "data.yaml"
        paths[kind].write_text(f"train: images\nval: images\nnames: {list(names.values())}\n")
    return paths


def test_right_labels_of_photographs_are_left_alone_and_planted_faults_are_errors(planted, real):
    model = YOLO(real / "weights" / "yolov8n_coco.pt")
    right = diagnosis.check_labels(planted["right"], model, imgsz=IMGSZ, images=8, progress=False)
    assert right.errors == () and right.mends == ()
    wrong = diagnosis.check_labels(planted["wrong"], model, imgsz=IMGSZ, progress=False)
    assert {finding.code for finding in wrong.errors} == {"corner_as_centre", "ids_shifted"}
    (mend,) = wrong.mends
    assert mend.doubtful == () and mend.reading == Reading(format="xywh")
    assert all(meant == written - 1 for written, meant in mend.classes.items())
    assert len(mend.classes) >= 8
