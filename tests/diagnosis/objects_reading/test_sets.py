"""Sets of images: what stands for one, what is listed, and what is said of those without labels."""

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import diagnosis
from diagnosis.objects.reading import label_file

from .written import codes, data_yaml, labelled, picture

GOOD = "0 0.5 0.5 0.2 0.4"


@pytest.fixture
def three(tmp_path):
    for name in ("a", "b", "c"):
        labelled(tmp_path, name, GOOD)
    return tmp_path


def test_a_folder_an_image_and_a_list_of_them(three):
    images = [three / "images" / f"{name}.png" for name in "abc"]
    for source in (three / "images", str(three / "images"), three, images, list(map(str, reversed(images)))):
        found = diagnosis.read_labels(source)
        assert list(found.images) == images
        assert [len(labels) for labels in found] == [1, 1, 1]
        assert found.names == {}
    one = diagnosis.read_labels(images[1], names={0: "bird"})
    assert (len(one), one[0].image, one[0].class_names()) == (1, images[1], ("bird",))
    assert diagnosis.read_labels(one) is one


def test_relative_paths_work_wherever_the_reader_stands(three, monkeypatch):
    monkeypatch.chdir(three)
    found = diagnosis.read_labels("images")
    monkeypatch.chdir("/")
    assert [len(labels) for labels in found] == [1, 1, 1]


def test_labels_may_lie_beside_the_images(tmp_path):
    image = picture(tmp_path / "both" / "a.png")
    image.with_suffix(".txt").write_text(GOOD)
    beside = picture(tmp_path / "images" / "b.png")
    beside.with_suffix(".txt").write_text(GOOD)
    assert diagnosis.read_labels(image.parent)[0].path == image.with_suffix(".txt")
    assert diagnosis.read_labels(beside.parent)[0].path == beside.with_suffix(".txt")


def test_the_last_folder_called_images_counts(tmp_path):
    image = picture(tmp_path / "images" / "images" / "a.png")
    for folder in ("labels/images", "images/labels"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "labels" / "images" / "a.txt").write_text(GOOD)
    right = tmp_path / "images" / "labels" / "a.txt"
    right.write_text(GOOD)
    assert diagnosis.read_labels(image)[0].path == right


def test_a_label_file_finds_its_image_or_is_given_it(three):
    path = three / "labels" / "b.txt"
    assert diagnosis.read_labels(path)[0].image == three / "images" / "b.png"
    other = picture(three / "other.png")
    given = diagnosis.read_labels(path, images=other)[0]
    assert (given.image, given.path, len(given)) == (other, path, 1)
    (three / "images" / "b.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"Say which: read_labels\(path, images=image\)"):
        diagnosis.read_labels(path)


def test_without_any_labels_there_is_no_truth_and_no_complaint(tmp_path):
    labelled(tmp_path, "a", None)
    labelled(tmp_path, "b", None)
    found = diagnosis.read_labels(tmp_path / "images")
    assert not found.truth
    assert [(len(labels), labels.path) for labels in found] == [(0, None), (0, None)]
    assert found[0].boxes(40, 20).shape == (0, 4)
    assert list(found.problems()) == []


def test_with_labels_of_some_the_others_are_told(three):
    labelled(three, "d", None)
    found = diagnosis.read_labels(three / "images")
    assert found.truth
    assert codes(found.problems()) == [("missing_file", None, True)]
    assert next(found.problems()).path == three / "images" / "d.png"


def test_a_label_file_without_an_image_is_told(three):
    (three / "images" / "b.png").unlink()
    (three / "labels" / "classes.txt").write_text("bird")
    told = list(diagnosis.read_labels(three / "images").problems())
    assert codes(told) == [("orphan", None, False)]
    assert told[0].path == three / "labels" / "b.txt"
    listed = diagnosis.read_labels([three / "images" / "a.png"])
    assert list(listed.problems()) == []


def test_an_image_listed_twice_is_told_and_kept_once(three):
    (three / "val.txt").write_text("./images/a.png\n./images/b.png\n./images/../images/a.png\n./images/gone.png\n")
    found = diagnosis.read_labels(data_yaml(three, "val: [val.txt, images/b.png]\n"))
    assert [image.name for image in found.images] == ["a.png", "b.png", "gone.png"]
    told = codes(found.problems())
    assert told == [
        ("duplicate_image", None, False),
        ("duplicate_image", None, False),
        ("missing_image", None, True),
        ("missing_file", None, True),
    ]


def test_images_have_numbers_and_names(three):
    found = diagnosis.read_labels(three / "images")
    assert found[-1].image.name == found[np.int64(2)].image.name == "c.png"
    assert found.of("b.png").image == found.of(three / "images" / "b.png").image == found[1].image
    for wrong in (3, -4):
        with pytest.raises(IndexError, match="this set has 3, numbered from 0"):
            found[wrong]
    with pytest.raises(TypeError, match="whole number"):
        found["a"]
    with pytest.raises(LookupError, match=r"none of its 3 images is called 'x.png'"):
        found.of("x.png")
    labelled(three, "a", GOOD, folder="more")
    with pytest.raises(LookupError, match=r"2 images are called 'a.png'"):
        diagnosis.read_labels(three / "images").of("elsewhere/a.png")


def test_files_are_read_when_they_are_asked_for(three, monkeypatch):
    read = []
    real = label_file.Path.read_bytes
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda path: read.append(path.name) or real(path))
    found = diagnosis.read_labels(three / "images")
    assert (len(found), found.truth, len(found.images), read) == (3, True, 3, [])
    assert len(found[1]) == len(found[1]) == 1
    assert read == ["b.txt", "b.txt"]
    (three / "labels" / "b.txt").write_text(f"{GOOD}\n1 0.5 0.5 0.2 0.4")
    assert len(found[1]) == 2


def test_memory_does_not_grow_with_what_was_read(tmp_path):
    text = "".join(f"{i} 0.5 0.5 0.2 0.4\n" for i in range(200))
    for i in range(60):
        labelled(tmp_path, f"{i:03}", text)
    found = diagnosis.read_labels(tmp_path / "images")
    found[0]
    tracemalloc.start()
    assert sum(map(len, found)) == 60 * 200
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    one = sum(getattr(found[0], name).nbytes for name in ("class_id", "cxcywh", "crowd", "lines"))
    assert kept < 5 * one
    assert most < 40 * one  # of 60 images that were read one by one


def test_results_travel_and_tell_themselves(three):
    found = diagnosis.read_labels(three / "images", names=["bird"])
    again = pickle.loads(pickle.dumps(found))
    assert again.images == found.images
    assert again[0].cxcywh.tolist() == found[0].cxcywh.tolist()
    assert repr(found) == f"LabelledSet('{three / 'images'}', 3 images, 1 names)"
    assert str(found) == f"{three / 'images'}: 3 images, 1 classes, with labels"
    assert repr(found[0]) == f"ImageLabels('{three / 'images' / 'a.png'}', 1 objects, 0 problems)"
    assert str(found[0]).splitlines()[1] == "  1: bird at 0.5000 0.5000, size 0.2000 0.4000"


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("nowhere", FileNotFoundError, "'nowhere' does not exist. Give a data YAML"),
        ("https://example.org/data.yaml", FileNotFoundError, "fetch it first"),
        ([], ValueError, "at least one image"),
        (["gone.png"], FileNotFoundError, "gone.png' does not exist"),
        ([1, 2], TypeError, "A list of images holds paths"),
        (None, TypeError, "Labels are read from files, but None"),
        ({"val": "images"}, TypeError, "Labels are read from files"),
        (Path(__file__), ValueError, "none of the kinds that labels are read from"),
    ],
)
def test_what_is_no_source_is_said_at_the_door(source, kind, message):
    with pytest.raises(kind, match=message):
        diagnosis.read_labels(source)


def test_images_go_with_json_and_label_files_alone(three):
    with pytest.raises(ValueError, match="goes with a COCO JSON or a label file"):
        diagnosis.read_labels(three / "images", images=three)
