"""COCO's JSON: ids, pixels, crowds, polygons, and where its images are looked for."""

import json
import pickle

import numpy as np
import pytest

import diagnosis
from diagnosis import Reading
from diagnosis.labels.rows import rows_of

from .written import HEIGHT, WIDTH, coco, codes, picture

CATEGORIES = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}, {"id": 90, "name": "brush"}]
A = {"id": 11, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}
B = {"id": 5, "file_name": "b.png", "width": WIDTH, "height": HEIGHT}


def box(category=3, bbox=(10, 5, 20, 10), image=11, **more):
    return {"image_id": image, "category_id": category, "bbox": list(bbox), "iscrowd": 0, **more}


def read(tmp_path, annotations, images=(A, B), **args):
    for image in images:
        picture(tmp_path / image["file_name"])
    return diagnosis.read_labels(coco(tmp_path / "set.json", list(images), annotations, CATEGORIES), **args)


def test_ids_boxes_and_crowds(tmp_path):
    outline = [[10, 5, 30, 5, 20, 15]]
    annotations = [box(90), box(7, (0, 0, 40, 20), iscrowd=1), box(3, image=5, segmentation=outline)]
    found = read(tmp_path, annotations)
    assert found.names == {0: "cat", 1: "dog", 2: "brush"}
    assert found.categories == {0: 3, 1: 7, 2: 90}
    assert [image.name for image in found.images] == ["a.png", "b.png"]
    a, b = found
    assert a.class_id.tolist() == [2, 1]
    assert a.crowd.tolist() == [False, True]
    assert a.cxcywh.tolist() == [[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 1, 1]]
    assert a.boxes(WIDTH, HEIGHT).tolist() == [[10, 5, 30, 15], [0, 0, 40, 20]]
    assert a.lines.tolist() == [0, 1]
    assert a.segments == ((), ())
    assert b.segments[0][0].tolist() == [[0.25, 0.25], [0.75, 0.25], [0.5, 0.75]]
    assert b.size == (WIDTH, HEIGHT)
    assert list(found.problems()) == []


def test_boxes_of_an_image_of_another_size_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"40 × 20, but a.png is 20 × 40 px large. Mend width and height"):
        read(tmp_path, [box()])[0].boxes(HEIGHT, WIDTH)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (box(bbox=(10, 5, 0, 10)), "empty_box"),
        (box(bbox=(10, 5, 20, -3)), "empty_box"),
        (box(bbox=(90, 5, 20, 10)), "off_image"),
        (box(bbox=(float("nan"), 5, 20, 10)), "not_finite"),
        (box(bbox=(float("inf"), 5, 20, 10)), "not_finite"),
        (box(bbox=(10, 5, 20)), "bad_annotation"),
        (box(bbox=("ten", 5, 20, 10)), "bad_annotation"),
        ({"image_id": 11, "category_id": 3}, "bad_annotation"),
        (box(4), "class_unknown"),
        (box("cat"), "class_unknown"),
        (box(image=99), "image_unknown"),
        ("text", "image_unknown"),
        (box(), "duplicate_row"),
    ],
)
def test_a_bad_annotation_is_left_out_and_told(tmp_path, entry, code):
    found = read(tmp_path, [box(), entry, box(7)])
    assert found[0].class_id.tolist() == [0, 1]
    assert found[0].lines.tolist() == [0, 2]
    assert codes(found.problems()) == [(code, None, False)]


def test_a_box_beyond_the_image_is_kept(tmp_path):
    found = read(tmp_path, [box(bbox=(-10, 5, 20, 10)), box(bbox=(30, 5, 30, 10))])
    assert found[0].boxes(WIDTH, HEIGHT).tolist() == [[-10, 5, 10, 15], [30, 5, 60, 15]]
    assert codes(found.problems()) == [("outside", None, True)]  # a centre may lie on the edge, but not beyond


def test_the_same_box_with_another_polygon_is_another_object(tmp_path):
    found = read(tmp_path, [box(segmentation=[[10, 5, 30, 5, 20, 15]]), box(segmentation=[[10, 15, 30, 15, 20, 5]])])
    assert len(found[0]) == 2


def test_a_mask_that_is_run_length_encoded_has_no_polygon(tmp_path):
    found = read(tmp_path, [box(segmentation={"counts": [1, 2], "size": [20, 40]}), box(7, segmentation=[[1, 2]])])
    assert found[0].segments == ((), ())


def test_key_points_are_read_as_shares(tmp_path):
    points = [10, 5, 2, 30, 15, 1, 0, 0, 0]
    (found, _) = read(tmp_path, [box(keypoints=points, num_keypoints=2), box(7, keypoints=points[::-1])])
    assert found.keypoints[0].tolist() == [[0.25, 0.25, 2], [0.75, 0.75, 1], [0, 0, 0]]
    assert found.keypoints.shape == (2, 3, 3)
    (found, _) = read(tmp_path, [box(keypoints=points), box(7)])
    assert found.keypoints is None  # not every object has some
    (found, _) = read(tmp_path, [box(keypoints=points), box(keypoints=points[:6]), box(7, keypoints=[1, 2])])
    assert found.keypoints is None and len(found) == 3  # the same box with other key points is another object


def test_a_category_may_be_written_as_text(tmp_path):
    assert read(tmp_path, [box("90"), box("7")])[0].class_id.tolist() == [2, 1]


def test_corners_in_place_of_a_corner_and_a_size_are_a_known_reading_whatever_the_outline(tmp_path):
    """What stands in the file is x1 y1 x2 y2; taken for x y w h, it is a reading with a code, and no polygon."""
    corners = np.array([[10.0, 5, 30, 15], [4, 2, 12, 18]])
    outline = [[10, 5, 30, 5, 20, 15]]
    labels = read(tmp_path, [box(bbox=bbox, segmentation=outline) for bbox in corners.tolist()])[0]
    rows = rows_of(0, labels)
    assert len(rows) == 2 and not rows.polygon.any()
    meant = Reading(format="xyxy_as_xywh").boxes(rows.quads, (WIDTH, HEIGHT))
    np.testing.assert_allclose(meant * [WIDTH, HEIGHT, WIDTH, HEIGHT], corners)


def test_without_annotations_there_is_no_truth(tmp_path):
    assert not read(tmp_path, None).truth
    assert read(tmp_path, []).truth
    assert list(read(tmp_path, []).problems()) == []


def test_an_image_of_unknown_size_is_looked_at(tmp_path):
    found = read(tmp_path, [box()], images=[{"id": 11, "file_name": "a.png"}])
    assert found[0].cxcywh.tolist() == [[0.5, 0.5, 0.5, 0.5]]
    (tmp_path / "a.png").write_bytes(b"no image")
    assert codes(found.problems()) == [("bad_annotation", None, False)]


def test_an_image_listed_twice_is_one_with_all_its_objects(tmp_path):
    found = read(tmp_path, [box(), box(7, image=6)], images=[A, A | {"id": 6}])
    assert [labels.class_id.tolist() for labels in found] == [[0, 1]]
    assert codes(found.problems()) == [("duplicate_image", None, True)]


def test_an_image_that_is_not_there_is_told(tmp_path):
    found = read(tmp_path, [box()])
    (tmp_path / "b.png").unlink()
    assert codes(found.problems()) == [("missing_image", None, True)]


@pytest.mark.parametrize(
    ("json_at", "images_at"),
    [
        ("set.json", "a.png"),
        ("set.json", "images/a.png"),
        ("set.json", "val/a.png"),
        ("annotations/instances_val2017.json", "val2017/a.png"),
        ("annotations/instances_val2017.json", "images/val2017/a.png"),
        ("annotations/set.json", "images/a.png"),
        ("annotations/val.json", "images/val/a.png"),
        ("valid/_annotations.coco.json", "valid/a.png"),
    ],
)
def test_images_are_found_where_they_usually_lie(tmp_path, json_at, images_at):
    image = picture(tmp_path / images_at)
    found = diagnosis.read_labels(coco(tmp_path / json_at, [A], [box()], CATEGORIES))
    assert found.images == (image,)


def test_images_elsewhere_are_named(tmp_path):
    image = picture(tmp_path / "far" / "away" / "a.png")
    path = coco(tmp_path / "set.json", [A], [box()], CATEGORIES)
    with pytest.raises(FileNotFoundError, match=r"such as 'a.png'.*read_labels\(json, images=folder\)"):
        diagnosis.read_labels(path)
    assert diagnosis.read_labels(path, images=image.parent).images == (image,)
    with pytest.raises(FileNotFoundError, match="must be the folder"):
        diagnosis.read_labels(path, images=tmp_path / "none")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}], "Those are predictions"),
        ({"a": 1}, "has `images`, `annotations` and `categories`"),
        ({"images": [], "annotations": []}, "at least one image"),
        ({"images": [A], "annotations": {}}, "`annotations` of a COCO JSON is a list"),
        ({"images": [A], "annotations": [], "categories": [{"id": 1}]}, "an id and a name"),
    ],
)
def test_what_is_no_coco_file_is_said_at_the_door(tmp_path, data, message):
    path = tmp_path / "set.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match=message):
        diagnosis.read_labels(path)
    path.write_text("{")
    with pytest.raises(ValueError, match="cannot be read as such"):
        diagnosis.read_labels(path)


@pytest.mark.parametrize("strange", [[1], {"id": 1}])
def test_ids_that_are_no_ids_are_told(tmp_path, strange):
    found = read(tmp_path, [{**box(), "image_id": strange}, box()])
    assert len(found[0]) == 1
    assert [problem.code for problem in found.problems()] == ["image_unknown"]
    data = {"images": [{**A, "id": strange}], "annotations": [{**box(), "image_id": strange}], "categories": CATEGORIES}
    path = tmp_path / "strange.json"
    path.write_text(json.dumps(data))
    assert len(diagnosis.read_labels(path)[0]) == 1


def test_a_file_name_that_no_file_can_have_is_told(tmp_path):
    path = coco(tmp_path / "set.json", [A, {"id": 5, "file_name": "a.jpg\0"}], [], CATEGORIES)
    assert "bad_annotation" in [problem.code for problem in diagnosis.read_labels(path, images=tmp_path).problems()]


def test_a_set_travels_to_workers(tmp_path):
    found = pickle.loads(pickle.dumps(read(tmp_path, [box()])))
    np.testing.assert_array_equal(found[0].cxcywh, [[0.5, 0.5, 0.5, 0.5]])


def test_a_turned_photograph_of_unknown_size_is_taken_as_it_is_shown(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[274] = 6  # shown turned by a quarter
    Image.new("RGB", (HEIGHT, WIDTH)).save(tmp_path / "a.jpg", exif=exif)
    path = coco(tmp_path / "set.json", [{"id": 11, "file_name": "a.jpg"}], [box()], CATEGORIES)
    assert diagnosis.read_labels(path)[0].size == (WIDTH, HEIGHT)
