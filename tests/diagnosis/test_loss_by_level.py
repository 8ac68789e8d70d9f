"""The parts of the loss sum up to Ultralytics' own loss items."""

import numpy as np
import pytest
from ultralytics import YOLO

import anatomy
import diagnosis
from detectors import demo_scene, demo_weights, draw_scene
from tests.diagnosis.test_assignment import BOXES, own_answer


def labelled(scene):
    return scene.image[..., ::-1].copy(), scene.boxes, scene.labels


def test_the_parts_sum_up_to_the_items_of_ultralytics(demo):
    image, boxes, labels = labelled(demo_scene())
    parts = diagnosis.loss_by_level(demo, image, boxes, labels)
    _, items = own_answer(YOLO(demo_weights()), image, boxes, labels, "one2many")
    assert parts.items == ("box", "cls", "dfl")
    assert list(parts.totals.values()) == pytest.approx(items.tolist(), rel=1e-4)


def test_a_head_without_bins_pays_another_item(build, picture):
    model = build("yolo26n", picture)
    parts = diagnosis.loss_by_level(model, picture, BOXES, [0, 1, 2, 3], imgsz=192, nms=False)
    _, items = own_answer(model, picture, BOXES, [0, 1, 2, 3], "one2one")
    assert parts.items == ("box", "cls", "l1")
    assert list(parts.totals.values()) == pytest.approx(items.tolist(), rel=2e-3)


def test_cells_and_objects_stand_where_they_belong(demo):
    image, boxes, labels = labelled(demo_scene())
    parts = diagnosis.loss_by_level(demo, image, boxes, labels)
    assigned = diagnosis.assign(demo, image, boxes, labels)
    assert parts.cells.sum() == sum(rows * cols for rows, cols in assigned.trace.shapes)
    assert np.array_equal(parts.cells[:, :3].sum(1), assigned.counts.sum(0))
    assert parts.objects.sum() == 12
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    assert parts.objects.tolist() == [(area < 1024).sum(), ((area >= 1024) & (area < 9216)).sum(), (area >= 9216).sum()]
    assert (parts.values[:, 3, [0, 2]] == 0).all()  # background pays class loss alone
    assert (parts.values >= 0).all()
    assert parts.to_df().height == 12
    assert "P4: box" in str(parts)


def test_several_images_are_averaged(demo):
    scenes = [labelled(draw_scene(seed)) for seed in range(2)]
    both = diagnosis.loss_by_level(demo, iter(scenes))
    each = [diagnosis.loss_by_level(demo, *scene) for scene in scenes]
    assert np.allclose(both.values, (each[0].values + each[1].values) / 2)
    assert both.images == 2


def test_an_image_without_objects_pays_for_its_background(demo):
    parts = diagnosis.loss_by_level(demo, demo_scene().image, [], [])
    assert parts.totals["box"] == parts.totals["dfl"] == 0
    assert parts.totals["cls"] > 0


def test_what_cannot_be_answered_is_refused(build, demo, picture):
    image, boxes, _ = labelled(demo_scene())
    with pytest.raises(ValueError, match="boxes and labels with an image"):
        diagnosis.loss_by_level(demo, image, boxes)
    with pytest.raises(ValueError, match="needs its boxes and labels"):
        diagnosis.loss_by_level(demo, image)
    with pytest.raises(ValueError, match="iterable was empty"):
        diagnosis.loss_by_level(demo, [])
    with pytest.raises(anatomy.UnsupportedModelError, match="boxes alone"):
        diagnosis.loss_by_level(build("yolov8n-obb", picture), picture, BOXES, [0] * 4, imgsz=192)
