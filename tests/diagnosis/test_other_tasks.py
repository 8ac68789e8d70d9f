"""Rotated boxes, masks and key points are assigned and paid for as by Ultralytics' own criteria, in both branches."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from ultralytics.data.utils import polygons2masks_overlap
from ultralytics.utils import DEFAULT_CFG_DICT
from ultralytics.utils.ops import xyxyxyxy2xywhr

import anatomy
import diagnosis
from tests.class_rows import as_frame
from tests.contract.rows import PICTURE
from tests.ultralytics_nets import small

ARGS = {"imgsz": 128}
BOXES = np.array(
    [[20.0, 10, 60, 50], [70, 20, 120, 60], [5, 5, 125, 60]]
)  # the last is the largest: masks put it first
LABELS = np.array([0, 0, 0])
ROTATED = np.array([[40.0, 30, 40, 20, 0.3], [95, 40, 12, 36, -0.5], [60, 30, 3, 1.2, 0.2]])  # the last is too low
SEGMENTS = [
    [np.array([[x1, y1], [x2, y1], [x2, (y1 + y2) / 2], [(x1 + x2) / 2, y2], [x1, y2]])] for x1, y1, x2, y2 in BOXES
]
SEG_LABELS = np.array([0, 2, 1])
ROWS = [
    *((name, "one2many") for name in ("yolov8n-seg", "yolov8n-pose", "yolov8n-obb")),
    *((name, branch) for name in ("yolo26n-seg", "yolo26n-pose", "yolo26n-obb") for branch in ("one2many", "one2one")),
]


def key_points():
    generator = np.random.default_rng(0)
    places = BOXES[:, None, :2] + generator.random((3, 17, 2)) * (BOXES[:, None, 2:] - BOXES[:, None, :2])
    return np.concatenate((places, (generator.random((3, 17, 1)) > 0.3) * 2.0), 2)


@pytest.fixture(scope="module")
def nets():
    names = ("yolov8n-seg", "yolo26n-seg", "yolov8n-pose", "yolo26n-pose", "yolov8n-obb", "yolo26n-obb")
    made = {name: small(name, PICTURE, 1 if "pose" in name else 4, bodiless=True) for name in names}
    return {name: (model, anatomy.trace(model, PICTURE, **ARGS)) for name, model in made.items()}


def own_batch(task):
    """The objects as a data loader hands them over."""
    centre, side = (BOXES[:, :2] + BOXES[:, 2:]) / 2, BOXES[:, 2:] - BOXES[:, :2]
    batch = {"batch_idx": torch.zeros(3), "cls": torch.zeros(3)}
    order = np.arange(3)
    if task == "obb":
        corners = np.array([cv2.boxPoints(((x, y), (w, h), np.degrees(angle))) for x, y, w, h, angle in ROTATED])
        boxes = xyxyxyxy2xywhr(corners) / [128, 64, 128, 64, 1]
    else:
        boxes = np.concatenate((centre, side), 1) / [128, 64, 128, 64]
    if task == "seg":
        masks, order = polygons2masks_overlap((64, 128), [polygon for (polygon,) in SEGMENTS], 4)
        batch["masks"] = torch.from_numpy(masks)[None].float()
        batch["cls"] = torch.from_numpy(SEG_LABELS[order]).float()
        batch["sem_masks"] = torch.from_numpy(np.append(0, SEG_LABELS[order])[masks.astype(int)])[None]
    if task == "pose":
        batch["keypoints"] = torch.from_numpy(key_points() / [128, 64, 1]).float()
    batch["bboxes"] = torch.from_numpy(boxes[order]).float()
    return batch, order


def own_items(model, task, branch):
    """Loss items and the object of each cell, on an unfused pass whose head puts out what it does in training."""
    net = model.model.eval().float()
    net.args = SimpleNamespace(**{**DEFAULT_CFG_DICT, **(net.args if isinstance(net.args, dict) else vars(net.args))})
    criterion = net.init_criterion()
    criterion = getattr(criterion, branch, criterion)
    batch, order = own_batch(task)
    for module in (net.model[-1], getattr(net.model[-1], "proto", net.model[-1])):
        module.training = True
    with torch.no_grad():
        raw = net(as_frame(PICTURE))
    net.eval()
    seen = []
    with criterion.assigner.register_forward_hook(lambda _, args, answer: seen.append(answer)):
        items = criterion.loss(raw.get(branch, raw), batch)[1]
    positive, owner = seen[0][3][0], seen[0][4][0].long()
    return {name.removesuffix("_loss"): float(value) for name, value in items.items()}, [
        order[i] if hit else -1 for hit, i in zip(positive.tolist(), owner.tolist(), strict=True)
    ]


def given(task):
    """What is handed to ``assign`` for a task."""
    boxes = ROTATED if task == "obb" else BOXES
    more = {"seg": {"segments": SEGMENTS}, "pose": {"keypoints": key_points()}}
    return (boxes, SEG_LABELS if task == "seg" else LABELS), more.get(task, {})


@pytest.mark.parametrize(("name", "branch"), ROWS)
def test_cells_and_items_are_those_of_the_own_criterion(nets, name, branch):
    model, trace = nets[name]
    task = name.split("-")[1]
    objects, more = given(task)
    items, owner = own_items(model, task, branch)
    assigned = diagnosis.assign(model, trace, *objects, branch=branch, **more)
    mine = np.full(len(owner), -1)
    mine[assigned.anchor] = assigned.object
    assert np.mean(mine == owner) > 0.98  # fused and unfused convolutions round differently
    assert assigned.branch == branch
    paid = diagnosis.loss_by_level(model, trace, *objects, branch=branch, **more)
    assert {name: value for name, value in items.items() if value} == pytest.approx(paid.totals, rel=5e-3)
    assert paid.left_out == {}
    assert set(paid.unplaced) == ({"sem"} if name == "yolo26n-seg" else set())
    assert paid.values[:, 3, [i for i, item in enumerate(paid.items) if item != "cls"]].sum() == 0
    assert paid.branch == branch


def test_the_fields_of_the_other_branch_agree(nets):
    model, trace = nets["yolo26n-obb"]
    found = diagnosis.assign(model, trace, ROTATED[:2], [0, 2], branch="one2one")
    assert (trace.run.branch, found.branch) == ("one2many", "one2one")
    assert (found.settings["topk"], found.settings["topk2"]) == (7, 1)
    assert found.counts.sum(1).max() == 1
    expected = found.score ** found.settings["alpha"] * found.overlap ** found.settings["beta"]
    assert np.allclose(found.alignment, expected, atol=1e-5)
    own = diagnosis.assign(model, anatomy.trace(model, PICTURE, nms=False, **ARGS), ROTATED[:2], [0, 2])
    assert np.array_equal(own.anchor, found.anchor)
    assert np.allclose(own.score, found.score, atol=1e-4)


def test_rotated_boxes_are_given_as_numbers_corners_or_lines_of_a_file(nets, tmp_path):
    model, trace = nets["yolov8n-obb"]
    found = diagnosis.assign(model, trace, ROTATED[:2], [1, 2])
    corners = np.array([cv2.boxPoints(((x, y), (w, h), np.degrees(angle))) for x, y, w, h, angle in ROTATED[:2]])
    again = diagnosis.assign(model, trace, corners, [1, 2])
    cv2.imwrite(str(tmp_path / "a.png"), PICTURE)
    rows = [" ".join(map(str, [label, *(box / (128, 64)).ravel()])) for label, box in zip((1, 2), corners, strict=True)]
    (tmp_path / "a.txt").write_text("\n".join(rows))
    read = diagnosis.assign(model, trace, tmp_path / "a.txt")
    for other in (again, read):
        assert np.array_equal(other.anchor, found.anchor)
        assert np.allclose(other.target, found.target, atol=1e-3)
    hull = found.boxes[0]
    assert hull[[0, 2]].mean() == pytest.approx(40)
    assert hull[2] - hull[0] == pytest.approx(40 * np.cos(0.3) + 20 * np.sin(0.3))
    assert np.allclose(found.corners.mean(1), ROTATED[:2, :2])
    paid = diagnosis.loss_by_level(model, trace, ROTATED[:2], [1, 2])
    assert paid.objects.tolist() == [2, 0, 0]  # 800 and 432 px², though the hull of the first is larger than 32 × 32


def test_a_box_that_training_leaves_out_keeps_its_number(nets):
    model, trace = nets["yolov8n-obb"]
    found = diagnosis.assign(model, trace, ROTATED[[0, 2, 1]], LABELS)
    assert found.why[1] == "too_small"
    assert found.counts[1].sum() == found.inside[1].sum() == 0
    assert set(found.object.tolist()) == {0, 2}
    assert "less than 2 px" in str(found)


def test_labels_bring_outlines_and_key_points(nets, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), PICTURE)
    lines = [" ".join(map(str, [0, *(polygon / (128, 64)).ravel()])) for (polygon,) in SEGMENTS]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    model, trace = nets["yolo26n-seg"]
    assert diagnosis.loss_by_level(model, trace, tmp_path / "a.txt").totals == pytest.approx(
        diagnosis.loss_by_level(model, trace, BOXES, LABELS, segments=SEGMENTS).totals, rel=1e-6
    )
    points = key_points()
    centre, side = (BOXES[:, :2] + BOXES[:, 2:]) / 2 / (128, 64), (BOXES[:, 2:] - BOXES[:, :2]) / (128, 64)
    rows = np.concatenate((LABELS[:, None], centre, side, (points / (128, 64, 1)).reshape(3, -1)), 1)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), PICTURE)
    (tmp_path / "labels" / "a.txt").write_text(
        "\n".join(" ".join([str(int(row[0])), *map(str, row[1:])]) for row in rows)
    )
    (tmp_path / "pose.yaml").write_text("train: images\nval: images\nnames: [person]\nkpt_shape: [17, 3]\n")
    labels = next(iter(diagnosis.read_labels(tmp_path / "pose.yaml")))
    assert np.allclose(labels.keypoints * (128, 64, 1), points)
    model, trace = nets["yolo26n-pose"]
    assert diagnosis.loss_by_level(model, trace, labels).totals == pytest.approx(
        diagnosis.loss_by_level(model, trace, BOXES, LABELS, keypoints=points).totals, rel=1e-5
    )


@pytest.mark.parametrize(("name", "items"), [("yolov8n-seg", {"seg"}), ("yolov8n-pose", {"pose", "kobj"})])
def test_what_boxes_alone_do_not_give_is_left_out_and_told(nets, name, items):
    model, trace = nets[name]
    paid = diagnosis.loss_by_level(model, trace, BOXES, LABELS)
    assert paid.items == ("box", "cls", "dfl")
    assert set(paid.left_out) == items
    assert all("every object" in why for why in paid.left_out.values())
    assert f"without {min(items)}" in str(paid) or f"without {max(items)}" in str(paid)
    objects, more = given(name.split("-")[1])
    paid = diagnosis.loss_by_level(model, trace, *objects)
    whole = diagnosis.loss_by_level(model, trace, *objects, **more)
    assert {name: whole.totals[name] for name in paid.items} == pytest.approx(paid.totals, rel=1e-5)


def test_a_mean_holds_what_every_image_has(nets):
    model, trace = nets["yolov8n-seg"]
    alone = diagnosis.loss_by_level(model, trace, BOXES, LABELS)
    both = diagnosis.loss_by_level(model, [(trace, BOXES, LABELS), (trace, BOXES, LABELS)])
    assert both.totals == pytest.approx(alone.totals)
    assert both.left_out == alone.left_out


WRONG = [
    ("yolov8n-obb", BOXES, {}, TypeError, "boxes alone do not say how they are turned"),
    ("yolov8n-obb", ROTATED[:, :3], {}, ValueError, r"the shape is \(3, 3\)"),
    ("yolov8n-obb", ROTATED * np.nan, {}, ValueError, "must be finite"),
    ("yolo26n-seg", BOXES, {}, TypeError, "SegmentLoss26 ranks the cells of an object by its mask"),
    ("yolo26n-pose", BOXES, {}, TypeError, "PoseLoss26 ranks the cells of an object by its key points"),
    ("yolo26n-seg", BOXES, {"segments": SEGMENTS[:2]}, ValueError, "3 objects and 2 segments"),
    ("yolo26n-seg", BOXES, {"segments": [[], *SEGMENTS[1:]]}, ValueError, "object 0 has"),
    ("yolo26n-seg", BOXES, {"segments": [np.zeros((2, 2)), *SEGMENTS[1:]]}, ValueError, "k of 3 at least"),
    ("yolov8n-pose", BOXES, {"keypoints": np.zeros((3, 17))}, ValueError, r"the shape is \(3, 17\)"),
    ("yolov8n-pose", BOXES, {"keypoints": np.zeros((3, 5, 3))}, ValueError, "17 key points"),
    ("yolov8n-seg", BOXES, {"branch": "one2one"}, ValueError, "branch must be one of one2many"),
]


@pytest.mark.parametrize(("name", "boxes", "more", "error", "message"), WRONG)
def test_what_is_wrong_is_told_at_the_door(nets, name, boxes, more, error, message):
    model, trace = nets[name]
    with pytest.raises(error, match=message):
        diagnosis.assign(model, trace, boxes, LABELS, **more)


def test_a_file_of_upright_boxes_does_not_say_how_they_are_turned(nets, tmp_path):
    model, trace = nets["yolov8n-obb"]
    cv2.imwrite(str(tmp_path / "a.png"), PICTURE)
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(anatomy.UnsupportedModelError, match="needs four corners"):
        diagnosis.assign(model, trace, tmp_path / "a.txt")
