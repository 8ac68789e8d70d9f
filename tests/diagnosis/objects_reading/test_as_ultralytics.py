"""Held against Ultralytics: the images it lists, in its order, and the rows that it keeps of a file it accepts."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import IMG_FORMATS, check_det_dataset, img2label_paths, verify_image_label

import diagnosis

from .written import data_yaml, labelled, picture

NAMES = ("bird", "cat", "dog")


def theirs(image, keypoints=None):
    """(rows, segments) that Ultralytics keeps, sorted; None where it rejects the image."""
    count, numbers = keypoints or (0, 0)
    label = str(image).replace("/images/", "/labels/").replace(".png", ".txt")
    _, rows, _, segments, *_ = verify_image_label(
        (str(image), label, "", bool(keypoints), len(NAMES), count, numbers, False)
    )
    return None if rows is None else (np.array(sorted(rows.tolist())).reshape(-1, 5), segments)


def ours(labels):
    return np.array(sorted(np.column_stack((labels.class_id, labels.cxcywh)).tolist())).reshape(-1, 5)


def agree(root, text, keypoints=None):
    image = labelled(root, "one", text)
    if keypoints:
        source = data_yaml(root, f"val: images\nnames: {list(NAMES)}\nkpt_shape: {list(keypoints)}\n")
    else:
        source = image
    labels = diagnosis.read_labels(source, names=NAMES)[0]
    accepted = theirs(image, keypoints)
    assert accepted is not None
    np.testing.assert_allclose(ours(labels), accepted[0], atol=1e-6)
    return labels, accepted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n \n",
        "0 0.5 0.5 0.2 0.4",
        "2 0.5 0.5 1 1\r\n0 0.5 0.5 0.2 0.4\r\n",
        "1.0 0.5 0.5 0.2 0.4\n",
        "0 1.005 0.5 0.2 0.4\n0 -0.005 0.5 0.2 0.4\n0 1.009 0.5 0.001 0.4",
        "1 0.5 0.5 0.2 0.4\n0 0.5 0.5 0.2 0.4\n1 0.5 0.5 0.2 0.4\n1 0.5 0.50000000001 0.2 0.4\n",
        "0 0.1 0.1 0.9 0.1 0.5 0.9\n1 0.1 0.2 0.3 0.2 0.3 0.8 0.1 0.8",
        "0 0.1 0.1 0.9 0.1 0.5 0.9\n0 0.1 0.9 0.9 0.9 0.5 0.1\n0 0.1 0.1 0.9 0.1 0.5 0.9",
    ],
)
def test_the_rows_of_an_accepted_file_stay(tmp_path, text):
    labels, (_, segments) = agree(tmp_path, text)
    assert sum(map(len, labels.segments)) == len(segments)


def test_keypoints_tell_rows_apart_as_they_do_for_pose(tmp_path):
    box = "0 0.5 0.5 0.2 0.4"
    text = f"{box} 0.4 0.5 2 0.6 0.5 1\n{box} 0.4 0.6 2 0.6 0.5 1\n{box} 0.4 0.5 2 0.6 0.5 1"
    labels, _ = agree(tmp_path, text, keypoints=(2, 3))
    assert labels.lines.tolist() == [1, 2]
    assert labels.segments == ((), ())


number = st.integers(1, 8).map(lambda eighths: eighths / 8)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), number, number, number, number), max_size=6))
def test_any_boxes_with_and_without_duplicates(tmp_path_factory, rows):
    text = "".join(" ".join(map(str, row)) + "\n" for row in rows)
    agree(tmp_path_factory.mktemp("set"), text)


@pytest.mark.parametrize(
    ("text", "stay"),
    [
        ("0 0.5 0.5 0.2 0.4\n0 1.2 0.5 0.5 0.4", 2),
        ("0 0.5 0.5 0.2 0.4\n7 0.5 0.5 0.2 0.4", 1),
        ("0 0.5 0.5 0.2 0.4\n1 0.1 0.2 0.5 0.2 0.3 0.8", 2),
        ("0 0.5 0.5 0.2 0.4\nx 0.5 0.5 0.2 0.4", 1),
    ],
)
def test_where_it_rejects_the_image_good_rows_stay(tmp_path, text, stay):
    image = labelled(tmp_path, "one", text)
    assert theirs(image) is None
    assert len(diagnosis.read_labels(image, names=NAMES)[0]) == stay


def listed(source):
    """What Ultralytics validates on, in its order."""
    data = YOLODataset.__new__(YOLODataset)
    data.prefix, data.fraction = "", 1.0
    return data.get_img_files(source)


@pytest.fixture
def mixed(tmp_path):
    """Folders in folders, every kind of image, hidden ones, and a linked folder of images."""
    for name in ("b", "a", "B", "a-1", "a1", "z.old"):
        labelled(tmp_path / "set", name, "0 0.5 0.5 0.2 0.4")
    labelled(tmp_path / "set", "a", None, folder="a")
    for ending in sorted(IMG_FORMATS):
        (tmp_path / "set" / "images" / f"kind.{ending.upper()}").touch()
    for name in (".hidden.png", "text.txt", "png", "movie.mp4"):
        (tmp_path / "set" / "images" / name).touch()
    labelled(tmp_path / "elsewhere", "far", "1 0.5 0.5 0.2 0.4")
    (tmp_path / "set" / "more").mkdir()
    (tmp_path / "set" / "more" / "images").symlink_to(tmp_path / "elsewhere" / "images")
    return tmp_path / "set"


def test_the_images_of_a_folder(mixed):
    found = diagnosis.read_labels(mixed / "images")
    assert [str(path) for path in found.images] == listed(str(mixed / "images"))
    assert len(found) == 7 + len(IMG_FORMATS)


def test_the_images_of_a_data_yaml_with_folders_and_a_link(mixed):
    path = data_yaml(mixed, f"path: {mixed}\ntrain: images\nval: [more/images, images]\nnames: [bird, cat]\n")
    places = check_det_dataset(path, autodownload=False)["val"]
    found = diagnosis.read_labels(path)
    assert [os.path.realpath(image) for image in found.images] == listed(places)
    files = [labels.path and os.path.realpath(labels.path) for labels in found]
    assert files == [label if os.path.exists(label) else None for label in img2label_paths(listed(places))]


def test_the_images_of_a_list(mixed):
    names = ["./images/b.png", str(mixed / "images" / "a.png"), "", "./images/a1.png", "./images/text.txt"]
    (mixed / "val.txt").write_text("\n".join(names))
    found = diagnosis.read_labels(mixed / "val.txt")
    assert [str(path) for path in found.images] == listed(str(mixed / "val.txt"))
    assert [path.name for path in found.images] == ["a.png", "a1.png", "b.png"]
    assert [(p.code, p.line) for p in found.problems()] == [("not_an_image", 5)]


def test_a_cache_is_neither_read_nor_written(tmp_path):
    labelled(tmp_path, "one", "0 0.5 0.5 0.2 0.4")
    (tmp_path / "labels.cache").write_bytes(b"not to be opened")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    found = diagnosis.read_labels(tmp_path / "images")
    assert [len(labels) for labels in found] == [1]
    assert list(found.problems()) == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert picture(tmp_path / "x.png").exists()
