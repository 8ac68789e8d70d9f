"""What check_labels, and with it the whole door of the label doctor, makes of data and arguments that are not right."""

import json
import re

import numpy as np
import pytest

import diagnosis
import viz
from diagnosis import Reading

from .planted import NAMES, data_yaml, picture, plant


def check(data, *given, **settings):
    return diagnosis.check_labels(data, *given, progress=False, **settings)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    root = tmp_path_factory.mktemp("set")
    plant(root, Reading())
    return root


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        (None, FileNotFoundError, "does not exist"),
        ("val: nowhere\nnames: [a]\n", FileNotFoundError, "nowhere"),
        ("- a\n- b\n", ValueError, "data YAML holds keys"),
        ("a: [", ValueError, "cannot be read"),
        ("names: [a]\n", ValueError, "must name a folder"),
        ("val: 3\nnames: [a]\n", ValueError, "must name a folder"),
        ("val: images/val\nnames: 3\n", ValueError, "Names must be"),
    ],
)
def test_a_yaml_that_points_nowhere_or_says_nothing_is_told(planted, text, error, told):
    path = planted / "bad.yaml"
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)
    with pytest.raises(error, match=re.escape(told)):
        check(path)
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("data", [3, None, {"val": "images"}, b"data.yaml", [3, 4]])
def test_what_is_no_data_is_told(data):
    with pytest.raises(TypeError, match=r"Labels are read from files|A list of images holds paths"):
        check(data)


def test_a_split_is_a_name_and_names_may_have_ids_as_text(planted):
    with pytest.raises(TypeError, match=r"split is the name .* such as 'train' or 'val', but 3 \(int\) was given"):
        check(data_yaml(planted), split=3)
    path = data_yaml(planted, "val: images/val\nnames: {'0': bird, '1': cat, '2': dog}\n")
    assert diagnosis.read_labels(path).names == dict(enumerate(NAMES))
    assert check(path).images == 4


@pytest.mark.parametrize("data", [[], "empty"])
def test_a_set_without_images_is_told(tmp_path, data):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="at least one image"):
        check(data if data == [] else tmp_path / data)


def test_images_only_are_told_and_where_labels_are_looked_for(tmp_path):
    picture(tmp_path / "images" / "a.png", (40, 20))
    for data in (tmp_path / "images", data_yaml(tmp_path, f"val: images\nnames: {list(NAMES)}\n")):
        with pytest.raises(ValueError, match=r"images without any.*looked for in `labels`"):
            check(data)


@pytest.mark.parametrize("model", ["best.pt", 3, object(), np.zeros(3)])
def test_what_is_no_model_is_told(planted, model):
    with pytest.raises((TypeError, ValueError)):
        check(planted / "images", model)


@pytest.mark.parametrize(
    ("given", "error"),
    [({"conf": 2}, ValueError), ({"conf": "x"}, TypeError), ({"images": 0}, ValueError), ({"images": 1.5}, TypeError)],
)
def test_arguments_are_checked(planted, given, error):
    with pytest.raises(error):
        check(planted / "images", **given)


def test_a_split_that_is_not_there_is_told(planted):
    with pytest.raises(ValueError, match="The split 'test' must name a folder"):
        check(data_yaml(planted), split="test")


def test_one_image_is_too_few_to_tell_and_no_fault_is_named(tmp_path):
    plant(tmp_path, Reading(format="xywh"), count=1)
    report = check(tmp_path / "images")
    assert report.ok and report.mends == () and report.images == 1
    assert set(report.codes) <= {"cannot_tell"}


def test_without_names_every_id_stands(planted):
    report = check(planted / "images")
    assert report.ok and not [code for code in report.problems["code"] if code.startswith("class_")]


def test_a_coco_json_is_taken_and_can_be_shown_and_written(tmp_path):
    picture(tmp_path / "images" / "a.png", (40, 20))
    image = {"id": 1, "file_name": "a.png", "width": 40, "height": 20}
    box = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [4, 4, 8, 8]}
    path = tmp_path / "annotations.json"
    path.write_text(
        json.dumps({"images": [image], "annotations": [box, box], "categories": [{"id": 3, "name": "cat"}]})
    )
    report = check(path)
    assert report.ok and "duplicate_row" in report.problems["code"].to_list()
    assert json.loads(report.to_json())["images"] == 1
    assert [ax.get_title() for ax in viz.labels(report).axes] == ["a.png: 1 objects, 1 problems"]
    made = diagnosis.fix_labels(report, path, tmp_path / "out", codes="duplicates", progress=False)
    assert json.loads(made.read_text())["annotations"] == [box]
