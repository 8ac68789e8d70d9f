"""Wherever objects are wanted, what was read may stand, or the path of what is to be read."""

import numpy as np
import pytest

import anatomy
import diagnosis
from anatomy import SelectionError
from diagnosis.objects.class_match import match_classes
from diagnosis.objects.labels import check_objects

from ..given_boxes import SIDE, given_trace
from .written import coco, data_yaml, labelled, picture

BOXES = [[8.0, 16.0, 24.0, 48.0], [32.0, 0.0, 64.0, 64.0]]  # px of a 64 × 64 image
TEXT = "0 0.25 0.5 0.25 0.5\n2 0.75 0.5 0.5 1\n"
NAMES = "names: [bird, cat, dog]\n"  # those of the trace


@pytest.fixture
def seen():
    """A trace of ``given.png``."""
    return given_trace({})


@pytest.fixture
def home(tmp_path):
    labelled(tmp_path, "given", TEXT)
    labelled(tmp_path, "other", "1 0.5 0.5 0.2 0.2")
    data_yaml(tmp_path, f"val: images\n{NAMES}")
    return tmp_path


def json_of(path, **more):
    images = [{"id": i, "file_name": f"{name}.png", "width": SIDE, "height": SIDE} for i, name in enumerate("xg")]
    images[1]["file_name"] = "given.png"
    boxes = [{"image_id": 1, "category_id": 4, "bbox": [8, 16, 16, 32]}]
    boxes.append({"image_id": 1, "category_id": 9, "bbox": [32, 0, 32, 64]} | more)
    return coco(path, images, boxes, [{"id": 4, "name": "bird"}, {"id": 9, "name": "dog"}])


@pytest.mark.parametrize("kind", ["labels", "set", "label file", "yaml", "folder", "json"])
def test_every_kind_stands_for_boxes_and_labels(seen, home, kind):
    given = {
        "labels": diagnosis.read_labels(home / "data.yaml")[0],
        "set": diagnosis.read_labels(home / "data.yaml"),
        "label file": str(home / "labels" / "given.txt"),
        "yaml": home / "data.yaml",
        "folder": home / "images",
        "json": json_of(home / "set.json"),
    }[kind]
    boxes, labels = check_objects(seen, given)
    assert boxes.tolist() == BOXES
    assert labels.tolist() == [0, 2]
    assert labels.dtype == np.int64


def test_an_image_is_looked_for_in_every_split(seen, tmp_path):
    labelled(tmp_path, "other", "1 0.5 0.5 0.2 0.2", folder="val")
    labelled(tmp_path, "given", TEXT, folder="train")
    path = data_yaml(tmp_path, f"train: images/train\nval: images/val\ntest: images/gone\n{NAMES}")
    assert check_objects(seen, path)[0].tolist() == BOXES


def test_crowds_are_no_objects(seen, tmp_path):
    assert check_objects(seen, json_of(tmp_path / "set.json", iscrowd=1))[0].tolist() == BOXES[:1]


def test_what_lies_off_the_image_by_a_hair_is_no_object(seen, home):
    labelled(home, "given", f"{TEXT}1 1.009 0.5 0.001 0.5")
    labels = diagnosis.read_labels(home / "data.yaml")[0]
    assert len(labels) == 3
    assert check_objects(seen, labels)[0].tolist() == BOXES


def test_what_does_not_fit_is_said_at_the_door(seen, home, tmp_path_factory):
    labels = diagnosis.read_labels(home / "data.yaml")[0]
    with pytest.raises(ValueError, match="stands for boxes and labels both"):
        check_objects(seen, labels, [0, 2])
    with pytest.raises(TypeError, match="Boxes need labels, one each"):
        check_objects(seen, BOXES)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        check_objects(seen, home / "gone.yaml")
    bare = tmp_path_factory.mktemp("bare")
    picture(bare / "given.png")
    with pytest.raises(LookupError, match="images without labels"):
        check_objects(seen, bare)
    (home / "images" / "given.png").unlink()
    with pytest.raises(LookupError, match=r"none of its 1 images is called 'given.png'"):
        check_objects(seen, home / "data.yaml")


def test_old_calls_are_as_they_were(seen):
    for labels in ([0, 2], ["bird", "dog"], np.array([0, 2])):
        boxes, ids = check_objects(seen, BOXES, labels)
        assert (boxes.tolist(), ids.tolist()) == (BOXES, [0, 2])
    assert check_objects(seen, [], [])[0].shape == (0, 4)


MODEL = {0: "bird", 1: "cat", 2: "dog"}


@pytest.mark.parametrize(
    ("labelled", "ids", "matched"),
    [
        (MODEL, [0, 2], {0: 0, 2: 2}),
        ({0: "Bird ", 2: "DOG"}, [2], {2: 2}),
        ({0: "dog", 1: "bird"}, [0, 1, 1], {0: 2, 1: 0}),
        ({0: "dog", 1: "tree"}, [0], {0: 2}),
        ({}, [1], {1: 1}),
        ({0: "class_0", 1: "class_1"}, [1], {1: 1}),
        ({0: "0", 1: "1"}, [1], {1: 1}),
        ({0: "dog"}, [], {}),
    ],
)
def test_classes_are_matched_by_name_where_names_differ(labelled, ids, matched):
    assert match_classes(labelled, MODEL, ids) == matched


def test_a_model_without_names_takes_ids_as_they_are():
    assert match_classes(MODEL, {0: "0", 1: "1", 2: "2"}, [2]) == {2: 2}


@pytest.mark.parametrize(
    ("labelled", "ids", "message"),
    [
        ({0: "dog", 1: "tree"}, [1], "hold class 1 'tree', which the model lacks.*'tree' does not exist among the 3"),
        ({}, [7], "hold class 7, which the model lacks"),
        ({0: "class_0", 7: "class_7"}, [7], "hold class 7 'class_7'"),
    ],
)
def test_a_class_without_a_counterpart_is_named(labelled, ids, message):
    with pytest.raises(SelectionError, match=message):
        match_classes(labelled, MODEL, ids)


@pytest.fixture
def scene_set(demo, scene, tmp_path):
    """The demo's scene as a set on disk, and the same objects as they are given by hand."""
    import cv2

    image, boxes, classes = scene
    height, width = image.shape[:2]
    centre, size = (boxes[:, :2] + boxes[:, 2:]) / 2 / (width, height), (boxes[:, 2:] - boxes[:, :2]) / (width, height)
    rows = np.column_stack((classes, centre, size)).tolist()
    path = labelled(tmp_path, "scene", "".join(" ".join(map(repr, row)) + "\n" for row in rows))
    cv2.imwrite(str(path), image)
    names = [demo.names[i] for i in range(len(demo.names))]
    return data_yaml(tmp_path, f"val: images\nnames: {names}\n"), path, boxes, classes


def test_public_functions_answer_alike(demo, scene_set):
    source, path, boxes, classes = scene_set
    trace = anatomy.trace(demo, str(path))
    labels = diagnosis.read_labels(source)
    by_hand = diagnosis.missed(trace, boxes, classes)
    assert diagnosis.missed(trace, labels[0]).found.tolist() == by_hand.found.tolist()
    assert diagnosis.missed(trace, source).found.tolist() == by_hand.found.tolist()
    assigned = diagnosis.assign(demo, trace, boxes, classes)
    assert diagnosis.assign(demo, str(path), source).anchor.tolist() == assigned.anchor.tolist()
    assert diagnosis.assign_trace(trace, labels).anchor.tolist() == assigned.anchor.tolist()
    paid = diagnosis.loss_by_level(demo, trace, boxes, classes).values
    for given in ((trace, labels[0]), (trace, source), (labels,), ([(str(path), labels[0])],), ([labels[0]],)):
        np.testing.assert_allclose(diagnosis.loss_by_level(demo, *given).values, paid, rtol=1e-4, atol=1e-6)
    checked = diagnosis.check_grid(demo, [(str(path), boxes, classes)], sight=False)
    assert any(level.objects is not None for level in checked.levels)
    for data in (source, labels):
        again = diagnosis.check_grid(demo, data, sight=False)
        for level, other in zip(again.levels, checked.levels, strict=True):
            assert (level.objects is None) == (other.objects is None)
            if other.objects is not None:
                np.testing.assert_allclose(level.objects.each, other.objects.each, atol=1e-4)


def test_labelled_images_are_triples_or_what_was_read(demo):
    with pytest.raises(ValueError, match=r"Labelled images are \(image, boxes, labels\)"):
        diagnosis.loss_by_level(demo, [3])
