"""Mended copies of label files: exactly the boxes that are meant, all else to the byte; the set stays as it was."""

import json
from dataclasses import replace

import numpy as np
import pytest

import diagnosis
from diagnosis import LabelReport, Mend, Reading

from .planted import NAMES, data_yaml, loaded, plant, report_of

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


def test_a_part_of_the_files_is_mended_and_the_others_are_copied(tmp_path):
    right = plant(tmp_path / "set", Reading(format="xywh"))
    images = images_of(tmp_path / "set")
    made = diagnosis.fix_labels(
        report_of(images[:1], reading=Reading(format="xywh")), data_yaml(tmp_path / "set"), tmp_path / "out"
    )
    np.testing.assert_allclose(loaded(made)["0.png"][1], right["0.png"], atol=2e-7)
    for i in (1, 2, 3):
        label = f"labels/val/{i}.txt"
        assert (tmp_path / "out" / label).read_bytes() == (tmp_path / "set" / label).read_bytes()


def test_what_was_changed_is_counted_by_code(tmp_path):
    plant(tmp_path / "set", Reading(format="xywh"))
    report = report_of(
        images_of(tmp_path / "set")[:2], reading=Reading(format="xywh"), classes={0: 1}, codes=["ids_shifted"]
    )
    diagnosis.fix_labels(report, data_yaml(tmp_path / "set"), tmp_path / "out", progress=False)
    told = json.loads((tmp_path / "out" / "mended.json").read_text())
    assert told["mended"] == {"corner_as_centre": {"files": 2, "rows": 6}, "ids_shifted": {"files": 2, "rows": 2}}
    assert told["images"] == {"linked": 4} and told["left_out"] == []


def test_codes_narrow_what_is_mended(tmp_path):
    plant(tmp_path / "set", Reading(format="xywh"))
    path = data_yaml(tmp_path / "set")
    report = report_of(
        images_of(tmp_path / "set"), reading=Reading(format="xywh"), classes={0: 2}, codes=["ids_shifted"]
    )
    first = (tmp_path / "set/labels/val/0.txt").read_text().splitlines()
    diagnosis.fix_labels(report, path, tmp_path / "ids", codes="ids_shifted")
    assert (tmp_path / "ids/labels/val/0.txt").read_text().splitlines() == ["2" + first[0][1:], *first[1:]]
    diagnosis.fix_labels(report, path, tmp_path / "boxes", codes=["corner_as_centre"])
    assert [line[0] for line in (tmp_path / "boxes/labels/val/0.txt").read_text().splitlines()] == ["0", "1", "2"]
    (tmp_path / "set/labels/val/1.txt").write_text(2 * "1 .5 .5 .2 .4\n")
    diagnosis.fix_labels(report, path, tmp_path / "rows", codes=["duplicates"])
    assert (tmp_path / "rows/labels/val/1.txt").read_text() == "1 .5 .5 .2 .4\n"
    assert (tmp_path / "rows/labels/val/0.txt").read_text().splitlines() == first


def test_what_a_warning_says_is_mended_only_where_it_is_asked_for(tmp_path):
    plant(tmp_path / "set", Reading(format="xywh"))
    path, images = data_yaml(tmp_path / "set"), tuple(images_of(tmp_path / "set"))
    ids = Mend(images=images, classes={0: 2}, codes=("ids_shifted",))
    both = replace(ids, reading=Reading(format="xywh"), codes=("corner_as_centre", "ids_shifted"), proven=ids)
    assert both.doubtful == ("corner_as_centre",) and ids.doubtful == ()
    report = LabelReport(subject="planted", mends=(both,))
    first = (tmp_path / "set/labels/val/0.txt").read_text().splitlines()
    diagnosis.fix_labels(report, path, tmp_path / "errors", progress=False)
    assert (tmp_path / "errors/labels/val/0.txt").read_text().splitlines() == ["2" + first[0][1:], *first[1:]]
    diagnosis.fix_labels(report, path, tmp_path / "all", also="corner_as_centre", progress=False)
    mended = np.loadtxt(tmp_path / "all/labels/val/0.txt")
    assert mended[:, 0].tolist() == [2, 1, 2]
    np.testing.assert_allclose(mended[:, 1:3], (written := np.loadtxt(first))[:, 1:3] + written[:, 3:] / 2, atol=1e-7)
    with pytest.raises(ValueError, match="give one of them"):
        diagnosis.fix_labels(report, path, tmp_path / "no", codes="ids_shifted", also="corner_as_centre")


def test_pairs_are_mended_and_an_image_without_labels_is_left_out(tmp_path):
    plant(tmp_path / "set", Reading())
    labels = tmp_path / "set/labels/val"
    right = {i: (labels / f"{i}.txt").read_bytes() for i in range(4)}
    for i in range(4):
        (labels / f"{i}.txt").write_bytes(right[(i + 1) % 4])  # what stands at i belongs to i + 1
    report = report_of(images_of(tmp_path / "set"), pairing=1, codes=["files_mispaired"])
    made = diagnosis.fix_labels(report, data_yaml(tmp_path / "set"), tmp_path / "out")
    assert loaded(made).keys() == {"1.png", "2.png", "3.png"}
    for i in (1, 2, 3):
        assert (tmp_path / f"out/labels/val/{i}.txt").read_bytes() == right[i]
    told = json.loads((tmp_path / "out/mended.json").read_text())
    assert [(entry["why"], entry["path"][-5:]) for entry in told["left_out"]] == [
        ("its labels belong to no image", "3.png"),
        ("no labels belong to it", "0.png"),
    ]


def test_pairs_of_a_part_never_take_the_labels_of_an_image_that_has_its_own(tmp_path):
    plant(tmp_path / "set", Reading())
    labels = tmp_path / "set/labels/val"
    own = {i: (labels / f"{i}.txt").read_bytes() for i in range(4)}
    report = report_of(images_of(tmp_path / "set")[1:3], pairing=1, codes=["files_mispaired"])
    made = diagnosis.fix_labels(report, data_yaml(tmp_path / "set"), tmp_path / "out")
    assert loaded(made).keys() == {"0.png", "2.png", "3.png"}
    assert (tmp_path / "out/labels/val/2.txt").read_bytes() == own[1]
    assert (tmp_path / "out/labels/val/3.txt").read_bytes() == own[3]


@pytest.mark.parametrize("where", ["parts", "list", "roboflow", "beside", "named images", "linked"])
def test_every_layout_loads_in_ultralytics_with_the_boxes_that_are_meant(tmp_path, where):
    """Folders, lists, labels beside images, links: what is found in the set is found in its mended copy."""
    root = tmp_path / ("images/set" if where == "named images" else "set")
    folder, reading, text = "images/val", Reading(format="xywh"), ""
    names = f"names: {list(NAMES)}\n"
    if where == "roboflow":
        folder, text = "valid/images", f"train: ../valid/images\nval: ../valid/images\n{names}"
    right = plant(root, reading, folder)
    if where == "parts":
        right |= {f"more{name}": boxes for name, boxes in plant(root / "more", reading).items()}
        for path in [*images_of(root / "more"), *sorted((root / "more").rglob("*.txt"))]:
            path.rename(path.with_name(f"more{path.name}"))
        text = f"path: {root}\ntrain: images\nval: [images/val, more/images/val]\n{names}"
    if where == "list":
        (root / "some.txt").write_text("./images/val/0.png\n./images/val/3.png\n")
        text = f"path: {root}\ntrain: images/val\nval: some.txt\n{names}"
        right = {name: right[name] for name in ("0.png", "3.png")}
    if where == "beside":
        (root / "images").rename(root / "photos")
        for path in (root / "labels/val").iterdir():
            path.rename(root / "photos/val" / path.name)
        text = f"train: photos/val\nval: photos/val\n{names}"
    if where == "linked":
        (tmp_path / "linked").mkdir()
        (tmp_path / "linked" / "images").symlink_to(root / "images")
        root = tmp_path / "linked"
    path = data_yaml(root, text)
    images = diagnosis.read_labels(path).images
    (tmp_path / "far/images").mkdir(parents=True)
    (tmp_path / "near").symlink_to(tmp_path / "far/images")
    made = diagnosis.fix_labels(report_of(images, reading=reading), path, tmp_path / "near/out")
    found = loaded(made)
    assert found.keys() == right.keys()
    for name, boxes in right.items():
        np.testing.assert_allclose(found[name][1], boxes, atol=2e-7)


def test_a_split_that_is_not_there_is_told_and_stays_in_the_data_yaml(tmp_path):
    plant(tmp_path / "set", Reading(format="xywh"))
    text = "path: .\ntrain: images/train\nval: images/val\nnames: [bird, cat, dog]\ndownload: x.zip\n"
    path = data_yaml(tmp_path / "set", text)
    made = diagnosis.fix_labels(
        report_of(images_of(tmp_path / "set"), reading=Reading(format="xywh")), path, tmp_path / "out"
    )
    assert len(loaded(made)) == 4
    assert str(tmp_path / "set/images/train") in made.read_text() and "download" not in made.read_text()
    told = json.loads((tmp_path / "out/mended.json").read_text())
    assert [entry["why"] for entry in told["left_out"]] == ["the split train is not there"]


@pytest.mark.parametrize("given", ["folder", "list", "paths", "set", "label file"])
def test_without_a_data_yaml_what_the_set_is_given_by_is_returned(tmp_path, given):
    plant(tmp_path / "set", Reading(format="xywh"))
    images = images_of(tmp_path / "set")
    data = {
        "folder": tmp_path / "set/images/val",
        "list": tmp_path / "set/all.txt",
        "paths": images,
        "set": diagnosis.read_labels(tmp_path / "set/images"),
        "label file": tmp_path / "set/labels/val/2.txt",
    }[given]
    (tmp_path / "set/all.txt").write_text("".join(f"{image}\n" for image in images))
    mended = images[2:3] if given == "label file" else images
    made = diagnosis.fix_labels(report_of(mended, reading=Reading(format="xywh")), data, tmp_path / "out")
    found = diagnosis.read_labels(made)
    assert [path.name for path in found.images] == [path.name for path in mended]
    assert [len(labels) for labels in found] == [3] * len(mended)
    assert all(path.is_relative_to(tmp_path / "out") for path in found.images)


def test_images_are_copied_where_links_cannot_be_made(tmp_path, monkeypatch):
    plant(tmp_path / "set", Reading(format="xywh"))

    def refused(*args):
        raise OSError("no links here")

    monkeypatch.setattr("pathlib.Path.symlink_to", refused)
    report = report_of(images_of(tmp_path / "set"), reading=Reading(format="xywh"))
    made = diagnosis.fix_labels(report, data_yaml(tmp_path / "set"), tmp_path / "out")
    assert len(loaded(made)) == 4 and not (tmp_path / "out/images/val/0.png").is_symlink()
    assert json.loads((tmp_path / "out/mended.json").read_text())["images"] == {"copied": 4}


def test_two_images_of_one_label_file_whose_labels_would_differ_are_refused(tmp_path):
    plant(tmp_path / "set", Reading())
    (tmp_path / "set/images/val/0.png").rename(tmp_path / "set/images/val/1.jpg")  # before 1.png
    report = report_of([tmp_path / "set/images/val/1.jpg"], classes={0: 1}, codes=["ids_shifted"])
    with pytest.raises(ValueError, match=r"share the label file '1.txt'.*Rename"):
        diagnosis.fix_labels(report, data_yaml(tmp_path / "set"), tmp_path / "out")
    assert {entry.name for entry in tmp_path.iterdir()} == {"set"}
