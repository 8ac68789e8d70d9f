"""A data YAML: where its images lie, what its classes are called, and what it says when it points nowhere."""

import pytest

import diagnosis

from .written import codes, data_yaml, labelled

GOOD = "0 0.5 0.5 0.2 0.4"


@pytest.fixture
def home(tmp_path):
    """``set/images/{train,val}`` with one image each."""
    labelled(tmp_path / "set", "t", "1 0.5 0.5 0.2 0.4", folder="train")
    labelled(tmp_path / "set", "v", GOOD, folder="val")
    return tmp_path / "set"


@pytest.mark.parametrize("root", ["", "path: .\n", "path: ''\n", "path: ../set\n", "path: {home}\n", "path:\n"])
def test_path_is_missing_relative_to_the_file_or_absolute(home, root):
    path = data_yaml(
        home, root.format(home=home) + "train: images/train\nval: images/val\nnames: {0: bird, '1': cat}\n"
    )
    found = diagnosis.read_labels(path)
    assert [str(image) for image in found.images] == [str(home / "images" / "val" / "v.png")]
    assert found.names == {0: "bird", 1: "cat"}
    assert found.truth
    assert diagnosis.read_labels(path, split="train")[0].class_names() == ("cat",)


def test_path_is_relative_to_the_working_folder_where_nothing_lies_beside_the_file(home, tmp_path, monkeypatch):
    path = data_yaml(tmp_path / "settings", "path: set\nval: images/val\nnames: [bird]\n")
    monkeypatch.chdir(tmp_path)
    assert len(diagnosis.read_labels(path)) == 1


def test_path_is_a_name_in_ultralytics_folder_of_data_sets(home, tmp_path, monkeypatch):
    monkeypatch.setattr("anatomy.families.ultralytics.datasets.DATASETS_FOLDER", tmp_path)
    path = data_yaml(tmp_path / "settings" / "deep", "path: set\nval: images/val\nnames: [bird]\n")
    assert len(diagnosis.read_labels(path)) == 1


@pytest.mark.parametrize("value", ["../images/val", "[images/val]", "images/val/v.png", "{home}/images/val", "val.txt"])
def test_a_split_is_a_folder_a_list_or_an_image(home, value):
    (home / "val.txt").write_text("./images/val/v.png\n")
    path = data_yaml(home, f"val: {value.format(home=home)}\nnames: [bird]\n")
    assert [image.name for image in diagnosis.read_labels(path).images] == ["v.png"]


def test_validation_is_another_word_for_val(home):
    assert len(diagnosis.read_labels(data_yaml(home, "validation: images/val\nnames: [bird]\n"))) == 1


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("val: images/val\nnc: 2\n", {0: "class_0", 1: "class_1"}),
        ("val: images/val\n", {}),
        ("val: images/val\nnames: [1, true]\n", {0: "1", 1: "True"}),
    ],
)
def test_names_may_be_counted_or_unknown(home, text, names):
    assert diagnosis.read_labels(data_yaml(home, text)).names == names


def test_names_of_the_caller_stand_in_place_of_those_of_the_file(home):
    path = data_yaml(home, "val: images/val\ntrain: images/train\nnames: [bird]\n")
    assert codes(diagnosis.read_labels(path, split="train").problems()) == [("class_unknown", 1, False)]
    assert diagnosis.read_labels(path, split="train", names=["a", "b"])[0].class_names() == ("b",)
    assert len(diagnosis.read_labels(path, split="train", names={})[0]) == 1


def test_keypoints_are_counted_by_the_file(home):
    labelled(home, "v", f"{GOOD} 0.4 0.5 2 0.6 0.5 1\n{GOOD}\n{GOOD} 0.4 0.5\n", folder="val")
    found = diagnosis.read_labels(data_yaml(home, "val: images/val\nnames: [bird]\nkpt_shape: [2, 3]\n"))[0]
    assert found.lines.tolist() == [1, 2, 3]
    assert codes(found.problems) == [("wrong_columns", 2, True), ("mixed_rows", 3, True)]


def test_a_split_behind_a_link_finds_labels_beside_the_path_first(home, tmp_path):
    labelled(tmp_path / "real", "v", "1 0.5 0.5 0.2 0.4")
    labelled(tmp_path / "real", "w", "1 0.5 0.5 0.2 0.4")
    (tmp_path / "linked" / "labels").mkdir(parents=True)
    (tmp_path / "linked" / "images").symlink_to(tmp_path / "real" / "images")
    (tmp_path / "linked" / "labels" / "v.txt").write_text(GOOD)
    found = diagnosis.read_labels(data_yaml(tmp_path / "linked", "val: images\nnames: [bird, cat]\n"))
    assert [labels.class_names() for labels in found] == [("bird",), ("cat",)]
    assert [labels.path.parent.parent.name for labels in found] == ["linked", "real"]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("val: nowhere\ntrain: images/train\n", FileNotFoundError, "nowhere.*Nothing is downloaded"),
        ("path: /no/such/place\nval: images/val\n", FileNotFoundError, "/no/such/place/images/val"),
        ("train: images/train\n", ValueError, "has no such split. Its splits: train"),
        ("val: 5\n", ValueError, "must name a folder"),
        ("val: images/val\npath: [a]\n", ValueError, "path must be text"),
        ("val: images/val\nnames: coco.names\n", ValueError, "Names must be a list"),
        ("val: images/val\nnames: {bird: 0}\n", ValueError, "Names must be a list"),
        ("val: images/val\nnames: {-1: bird}\n", ValueError, "ids from 0"),
        ("val: images/val\nkpt_shape: 17\n", ValueError, "kpt_shape must be"),
        ("- a\n- b\n", ValueError, "keys such as path, train, val"),
        ("val: [unclosed\n", ValueError, "cannot be read"),
        ("val: !!python/object/apply:os.system ['touch ran']\n", ValueError, "cannot be read"),
        ("val: labels/val\n", ValueError, "folder of the images, not of the labels"),
    ],
)
def test_what_a_yaml_cannot_mean_is_said_at_the_door(home, text, kind, message):
    with pytest.raises(kind, match=message):
        diagnosis.read_labels(data_yaml(home, text))


def test_what_its_download_key_says_never_runs(home):
    path = data_yaml(home, f"val: nowhere\ndownload: open({str(home / 'ran')!r}, 'w')\n")
    with pytest.raises(FileNotFoundError):
        diagnosis.read_labels(path)
    assert not (home / "ran").exists()
