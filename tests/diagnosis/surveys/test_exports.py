"""A survey for other tools: COCO's files, CSV, FiftyOne."""

import json
import sys
from types import SimpleNamespace

import polars
import pytest

from diagnosis.surveys.answers import to_coco, to_csv, to_fiftyone
from tests.diagnosis.surveys.frames import a_survey

IMAGE = {"number": 0, "width": 100, "height": 50, "gain_x": 2.0, "gain_y": 2.0, "pad_x": 0.0, "pad_y": 10.0}


def small_survey(**settings):
    return a_survey(
        objects=[{"box": (10, 10, 30, 20), "class_name": "dog", "found": True}, {"number": 1}],
        detections=[
            {"box": (10, 10, 20, 40), "class_name": "bird", "confidence": 0.75, "level_name": "P4", "row": 3, "col": 5},
            {"number": 1, "error": "background"},
        ],
        images=[IMAGE, {"number": 2, "error": "broken"}],
        evaluation=[
            {"box": (20, 30, 60, 50), "confidence": 0.5, "class_id": 2},
            {"box": (-10, 30, 300, 50), "confidence": 0.25},
            {"variant": 1},
            {"cut": True},
        ],
        **settings,
    )


def test_coco_results_of_the_working_point_and_their_labels():
    export = to_coco(small_survey())
    assert export.results[0] == {"image_id": 1, "category_id": 3, "bbox": [10.0, 10.0, 10.0, 30.0], "score": 0.75}
    assert [row["image_id"] for row in export.results] == [1, 2]
    assert [image["id"] for image in export.truth["images"]] == [1, 2]
    assert export.truth["images"][0] == {"id": 1, "file_name": "image0.jpg", "width": 100, "height": 50}
    assert export.truth["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "bird"}]
    first = {"id": 1, "image_id": 1, "category_id": 2, "bbox": [10.0, 10.0, 20.0, 10.0], "area": 200.0, "iscrowd": 0}
    assert export.truth["annotations"][0] == first
    assert str(export) == "2 results and 2 labels in COCO's format"
    assert export.to_df().columns == ["image_id", "category_id", "bbox", "score"]


def test_coco_results_of_the_evaluation_are_mapped_to_the_original_and_clipped():
    results = to_coco(small_survey(), which="evaluation").results
    assert results == [
        {"image_id": 1, "category_id": 3, "bbox": [10.0, 10.0, 20.0, 10.0], "score": 0.5},
        {"image_id": 1, "category_id": 1, "bbox": [0.0, 10.0, 100.0, 10.0], "score": 0.25},
    ]


def test_coco_files_are_written_beside_each_other(tmp_path):
    export = to_coco(small_survey(), tmp_path / "mine.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "mine_truth.json"]
    assert json.loads((tmp_path / "mine.json").read_text()) == export.results
    assert json.loads((tmp_path / "mine_truth.json").read_text()) == export.truth


def test_without_labels_there_are_results_alone(tmp_path):
    export = to_coco(small_survey(truth=False), tmp_path / "mine.json")
    assert export.truth is None
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]
    assert str(export) == "2 results and no labels in COCO's format"


def test_coco_says_what_it_cannot_write(tmp_path):
    with pytest.raises(ValueError, match=r"which must be one of \['detections', 'evaluation'\], but 'all' was given"):
        to_coco(small_survey(), which="all")
    with pytest.raises(ValueError, match=r"go to a \.json file"):
        to_coco(small_survey(), tmp_path / "mine.txt")


def test_csv_of_the_tables(tmp_path):
    candidate = {"level_name": "P3", "row": 1, "stage": "ceiling", "iou": 0.25}
    survey = a_survey([{"image": "=HYPERLINK.jpg", "candidates": [candidate, candidate | {"level_name": "P4"}]}, {}])
    paths = to_csv(survey, tmp_path / "new")
    assert [path.name for path in paths] == ["images.csv", "objects.csv", "detections.csv", "candidates.csv"]
    objects = polars.read_csv(tmp_path / "new" / "objects.csv")
    assert objects["image"].to_list() == ["'=HYPERLINK.jpg", "image0.jpg"]
    assert "candidates" not in objects.columns
    candidates = polars.read_csv(tmp_path / "new" / "candidates.csv")
    assert candidates.select("number", "object", "level_name", "row", "iou").rows() == [
        (0, 0, "P3", 1, 0.25),
        (0, 0, "P4", 1, 0.25),
    ]
    assert polars.read_csv(tmp_path / "new" / "detections.csv").is_empty()


class Entry(SimpleNamespace):
    """FiftyOne's samples take fields by name."""

    def __setitem__(self, name, value):
        setattr(self, name, value)


class Dataset:
    def __init__(self, name):
        self.name, self.samples = name, []

    def add_samples(self, samples):
        self.samples.extend(samples)


@pytest.fixture
def fiftyone(monkeypatch):
    """The calls of https://docs.voxel51.com/user_guide/using_datasets.html that an export makes."""
    stand_in = SimpleNamespace(Dataset=Dataset, Sample=Entry, Detection=Entry, Detections=Entry)
    monkeypatch.setitem(sys.modules, "fiftyone", stand_in)


@pytest.mark.usefixtures("fiftyone")
def test_fiftyone_gets_boxes_in_shares_of_the_image():
    dataset = to_fiftyone(small_survey(), "mine")
    assert dataset.name == "mine"
    assert [sample.filepath for sample in dataset.samples] == ["image0.jpg", "image1.jpg"]  # the third is broken
    (found,), (label,) = dataset.samples[0].predictions.detections, dataset.samples[0].ground_truth.detections
    assert (found.label, found.confidence, found.level, found.row, found.col) == ("bird", 0.75, "P4", 3, 5)
    assert found.bounding_box == pytest.approx([0.1, 0.2, 0.1, 0.6])
    assert (label.label, label.found, label.stage) == ("dog", True, "")
    assert dataset.samples[1].predictions.detections[0].error == "background"


@pytest.mark.usefixtures("fiftyone")
def test_fiftyone_gets_no_labels_where_there_are_none():
    assert not hasattr(to_fiftyone(small_survey(truth=False), "mine").samples[0], "ground_truth")


def test_fiftyone_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    with pytest.raises(ImportError, match="needs the package fiftyone, which is not installed here"):
        to_fiftyone(small_survey(), "mine")
