"""A mended COCO JSON: boxes, areas, polygons, key points, categories; all else as it stands."""

import json

import numpy as np
import pytest

import diagnosis
from diagnosis import Reading

from .planted import picture, report_of

FLIP = Reading(turn="flipped_horizontally")
CORNER = Reading(format="xywh")
CATEGORIES = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]  # class ids by the order of ids: cat 0, dog 1


def written(root, annotations, names=("a.png", "b.png")):
    images = []
    for i, name in enumerate(names):
        if not name.startswith(("/", "..")):
            picture(root / "images" / name, (40, 20))
        images.append({"id": 10 + i, "file_name": name, "width": 40, "height": 20, "licence": "own"})
    path = root / "annotations.json"
    path.write_text(
        json.dumps({"info": {"år": 1}, "images": images, "annotations": annotations, "categories": CATEGORIES})
    )
    return path


def box(x, y, w, h, image=10, category=7, **more):
    return {"id": 1, "image_id": image, "category_id": category, "bbox": [x, y, w, h], **more}


def fixed(path, codes=None, **mend):
    report = report_of(diagnosis.read_labels(path).images, **mend)
    made = diagnosis.fix_labels(report, path, path.parent.parent / "out", codes=codes)
    return made, json.loads(made.read_text())


def test_boxes_and_their_areas_are_mended_and_all_else_stays(tmp_path):
    first = box(4, 2, 8, 5, area=40.0, iscrowd=0, note="β")
    path = written(tmp_path / "set", [first, box(4, 2, 8, 5, area=33.3, image=11)])
    before = path.read_bytes()
    made, data = fixed(path, reading=FLIP)
    assert made == tmp_path / "out" / "annotations.json"
    assert data["annotations"] == [
        first | {"bbox": [28, 2, 8, 5]},
        box(28, 2, 8, 5, area=33.3, image=11),
    ]
    rest = json.loads(before)
    assert {key: data[key] for key in ("info", "images", "categories")} == {
        key: rest[key] for key in ("info", "images", "categories")
    }
    assert path.read_bytes() == before
    assert [len(labels) for labels in diagnosis.read_labels(made)] == [1, 1]  # finds its images
    told = json.loads((tmp_path / "out" / "mended.json").read_text())
    assert told["mended"] == {"flipped_horizontally": {"files": 2, "rows": 2}} and told["images"] == {"linked": 2}


def test_an_area_that_is_the_boxes_follows_it(tmp_path):
    path = written(tmp_path / "set", [box(10, 5, 8, 4, area=32)])
    _, data = fixed(path, reading=Reading(size=0.5))
    assert data["annotations"][0] | {"id": 0} == box(6, 3, 16, 8, area=128) | {"id": 0}


def test_polygons_follow_unless_they_are_right_already(tmp_path):
    outline = [[4, 2, 12, 2, 12, 7, 4, 7]]
    right = [[28, 2, 36, 2, 36, 7, 28, 7]]
    annotations = [box(4, 2, 8, 5, segmentation=outline), box(4, 2, 8, 5, segmentation=right)]
    _, data = fixed(written(tmp_path / "set", annotations), reading=FLIP)
    assert data["annotations"][0]["segmentation"] == [[36, 2, 28, 2, 28, 7, 36, 7]]
    assert data["annotations"][1]["segmentation"] == right


def test_a_format_is_not_one_of_polygons_and_an_encoded_mask_stays_with_it(tmp_path):
    mask = {"counts": "abc", "size": [20, 40]}
    outline = [[8, 4.5, 16, 4.5, 16, 9.5]]
    path = written(tmp_path / "set", [box(8, 4, 8, 4, segmentation=outline), box(8, 4, 8, 4, segmentation=mask)])
    _, data = fixed(path, reading=CORNER)
    assert [entry["bbox"] for entry in data["annotations"]] == 2 * [[12, 6, 8, 4]]
    assert [entry["segmentation"] for entry in data["annotations"]] == [outline, mask]


def test_a_mask_that_cannot_follow_is_emptied(tmp_path):
    mask = {"counts": "abc", "size": [20, 40]}
    _, data = fixed(written(tmp_path / "set", [box(4, 2, 8, 5, segmentation=mask)]), reading=FLIP)
    assert data["annotations"][0]["segmentation"] == []
    (told,) = json.loads((tmp_path / "out" / "mended.json").read_text())["left_out"]
    assert told["why"].startswith("a run-length encoded mask") and told["line"] == 0


def test_key_points_follow_but_for_those_that_are_not_labelled(tmp_path):
    path = written(tmp_path / "set", [box(4, 2, 8, 5, keypoints=[6, 3, 2, 0, 0, 0, 10, 6, 1], num_keypoints=2)])
    _, data = fixed(path, reading=FLIP)
    assert data["annotations"][0]["keypoints"] == [34, 3, 2, 0, 0, 0, 30, 6, 1]


def test_classes_are_those_of_the_categories(tmp_path):
    path = written(tmp_path / "set", [box(4, 2, 8, 5, category=7), box(4, 2, 8, 5, category=3)])
    _, data = fixed(path, classes={0: 1, 1: 0}, codes=None)
    assert [entry["category_id"] for entry in data["annotations"]] == [3, 7]


def test_a_box_off_the_image_is_left_out_and_told(tmp_path):
    path = written(tmp_path / "set", [box(4, 2, 8, 5), box(44, 2, 8, 5)])
    _, data = fixed(path, reading=FLIP)
    assert [entry["bbox"] for entry in data["annotations"]] == [[28, 2, 8, 5]]
    told = json.loads((tmp_path / "out" / "mended.json").read_text())["left_out"]
    assert [(entry["why"], entry["line"]) for entry in told] == [("the reading puts the row off the image", 1)]


def test_pairs_are_mended(tmp_path):
    path = written(tmp_path / "set", [box(4, 2, 8, 5, image=10), box(1, 1, 2, 2, image=11)])
    _, data = fixed(path, pairing=1, codes=["files_mispaired"])
    assert data["annotations"] == [box(4, 2, 8, 5, image=11)]
    assert [entry["file_name"] for entry in data["images"]] == ["b.png"]


def test_annotations_are_dropped_where_their_code_is_asked_for(tmp_path):
    annotations = [box(4, 2, 8, 5), box(4, 2, 8, 5), box(4, 2, 0, 5), box(4, 2, 8, 5, category=99), {"image_id": 10}]
    path = written(tmp_path / "set", annotations)
    _, data = fixed(path, codes=["duplicates", "class_unknown"])
    assert data["annotations"] == [annotations[0], annotations[2], annotations[4]]
    made = diagnosis.fix_labels(report_of([]), path, tmp_path / "more", codes=["empty_box", "bad_annotation"])
    assert json.loads(made.read_text())["annotations"] == [*annotations[:2], annotations[3]]


@pytest.mark.parametrize("absolute", [True, False])
def test_images_outside_the_folder_are_named_by_their_whole_path(tmp_path, absolute):
    far = picture(tmp_path / "far" / "c.png", (40, 20))
    name = str(far) if absolute else "../../far/c.png"
    path = written(tmp_path / "set", [box(4, 2, 8, 5, image=11)], names=("a.png", name))
    made, data = fixed(path, reading=FLIP)
    assert [entry["file_name"] for entry in data["images"]] == ["a.png", str(far)]
    found = {labels.image.name: labels for labels in diagnosis.read_labels(made)}
    np.testing.assert_allclose(found["c.png"].boxes(40, 20), [[28, 2, 36, 7]])


@pytest.mark.parametrize(
    ("reading", "bbox"),
    [
        (Reading(format="xyxy_as_xywh"), [4, 2, 12, 7]),
        (Reading(format="x2y2wh"), [8, 4.5, 8, 5]),
        (Reading(unit="per_px"), [0.1, 0.1, 0.2, 0.25]),
    ],
)
def test_boxes_that_are_no_corner_and_size_in_px_become_such(tmp_path, reading, bbox):
    """Two corners, centre and size, and shares, of the box 4 2 8 5."""
    path = written(tmp_path / "set", [box(*bbox, segmentation=[[4, 2, 12, 2, 12, 7]])])
    _, data = fixed(path, reading=reading)
    assert data["annotations"] == [box(4, 2, 8, 5, segmentation=[[4, 2, 12, 2, 12, 7]])]


def test_boxes_that_leave_the_image_are_cut_where_it_is_asked_for(tmp_path):
    outside, inside = box(-10, 2, 16, 5, area=80.0), box(30, 2, 16, 5)  # of the second the centre lies upon the image
    path = written(tmp_path / "set", [outside, inside])
    report = report_of(diagnosis.read_labels(path).images)
    made = diagnosis.fix_labels(report, path, tmp_path / "out", codes="outside")
    assert json.loads(made.read_text())["annotations"] == [outside | {"bbox": [0, 2, 6, 5], "area": 30}, inside]
