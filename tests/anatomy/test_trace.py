"""One traced pass: sources, provenance tables, suppression, replay and what is left behind."""

import copy
import gc
import pickle

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import anatomy
import surgery

ARGS = {"imgsz": 192}


@pytest.fixture(scope="module")
def model(build, picture):
    return build("yolov8n", picture)


@pytest.fixture
def folder(tmp_path, picture):
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.roll(picture, 16 * index, axis=1))
    return tmp_path


def rows(trace):
    return trace.result.boxes.data


def test_every_kind_of_single_source_gives_the_same(model, folder, picture):
    path = folder / "0.png"
    rgb = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
    first = anatomy.trace(model, path, **ARGS)
    assert len(first.detections) > 10
    for source in (str(path), picture, Image.fromarray(picture[..., ::-1].copy()), rgb, [picture], [str(path)]):
        other = anatomy.trace(model, source, **ARGS)
        assert torch.equal(rows(other), rows(first))
        assert np.array_equal(other.image, picture[..., ::-1])
        assert other.to_df().equals(first.to_df())


def test_stream_takes_folders_globs_lists_and_videos(model, folder, picture):
    expected = [rows(anatomy.trace(model, folder / f"{index}.png", **ARGS)) for index in range(3)]
    listed = [str(folder / f"{index}.png") for index in range(3)]
    for source in (folder, str(folder / "*.png"), listed):
        for batch in (1, 2):
            found = list(anatomy.stream(model, source, batch=batch, **ARGS))
            assert [trace.path for trace in found] == listed
            for trace, boxes in zip(found, expected, strict=True):
                if batch == 1 and source is not listed:  # Ultralytics runs a list as one batch
                    assert torch.equal(rows(trace), boxes)
                else:  # another batch size may take other kernels, whose rounding can turn a near tie
                    assert abs(len(rows(trace)) - len(boxes)) <= 2
                assert torch.equal(rows(trace.replay()), rows(trace))
    writer = cv2.VideoWriter(str(folder / "film.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 5, picture.shape[1::-1])
    for _ in range(4):
        writer.write(picture)
    writer.release()
    assert len(list(anatomy.stream(model, folder / "film.avi", **ARGS))) == 4


def test_edits_inside_a_stream_reach_the_images_that_follow(model, folder):
    with surgery.scratch(model):
        counts = []
        for trace in anatomy.stream(model, folder, **ARGS):
            counts.append(len(trace.detections))
            surgery.mute_level(model, "all")
            assert len(trace.replay().detections) == 0
    assert counts[0] > 0
    assert counts[1:] == [0, 0]


def test_traces_and_predictions_inside_an_open_stream_have_their_own_results(model, folder):
    alone = [rows(anatomy.trace(model, folder / f"{index}.png", **ARGS)) for index in range(3)]
    few = rows(anatomy.trace(model, folder / "2.png", conf=0.4, **ARGS))
    assert len(few) < len(alone[2])
    found = []
    for seen in anatomy.stream(model, folder, **ARGS):
        assert torch.equal(rows(anatomy.trace(model, folder / "2.png", conf=0.4, **ARGS)), few)
        plain = model.predict(str(folder / "1.png"), conf=0.25, verbose=False, **ARGS)[0]
        assert torch.equal(plain.boxes.data, alone[1])
        found.append(rows(seen))
    assert all(torch.equal(*pair) for pair in zip(found, alone, strict=True))


def test_nothing_is_left_behind(model, picture):
    model.predict(picture, verbose=False, **ARGS)
    predictor, net = model.predictor, model.predictor.model.backend.model
    before = set(vars(predictor)), set(vars(net.model[-1]))
    anatomy.trace(model, picture, **ARGS).replay()
    with pytest.raises(ValueError, match="iou must be from 0 to 1, but 7"):
        anatomy.trace(model, picture, iou=7, **ARGS)
    stream = anatomy.stream(model, [picture, picture], **ARGS)
    next(stream)
    del stream
    gc.collect()
    assert (set(vars(predictor)), set(vars(net.model[-1]))) == before
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in net.modules())
    assert model.predictor is predictor


def greedy(boxes, scores, classes, threshold):
    """Who removes whom in plain greedy NMS, {loser: winner}, in the plainest way."""
    order, removed = np.argsort(-scores, kind="stable"), {}
    shifted = boxes + (classes * 7680.0)[:, None].astype(np.float32)
    for place, i in enumerate(order):
        if i in removed:
            continue
        for j in order[place + 1 :]:
            width, height = np.minimum(shifted[i, 2:], shifted[j, 2:]) - np.maximum(shifted[i, :2], shifted[j, :2])
            inter = max(width, 0) * max(height, 0)
            both = np.prod(shifted[i, 2:] - shifted[i, :2]) + np.prod(shifted[j, 2:] - shifted[j, :2]) - inter
            if j not in removed and inter / both > threshold:
                removed[j] = i
    return removed


@pytest.mark.parametrize("agnostic", [False, True])
def test_suppressed_names_exactly_what_nms_removed(model, picture, agnostic):
    trace = anatomy.trace(model, picture, iou=0.3, agnostic_nms=agnostic, **ARGS)
    scores = torch.cat([level.flatten(1) for level in trace.logits], 1).sigmoid().T.numpy()
    anchors = np.flatnonzero(scores.max(1) > 0.25)
    best, classes = scores[anchors].max(1), scores[anchors].argmax(1)
    expected = greedy(trace.decode(anchors), best, classes * (not agnostic), 0.3)
    found = {
        int(loser): int(winner)
        for winner, rivals in zip(trace.detections.anchor, trace.detections.suppressed, strict=True)
        for loser in rivals.anchor
    }
    assert found == {int(anchors[loser]): int(anchors[winner]) for loser, winner in expected.items()}
    assert len(found) > 20
    for rivals, name in zip(trace.detections.suppressed, trace.detections.class_id, strict=True):
        assert (rivals.iou > 0.3).all()
        assert (np.diff(rivals.confidence) <= 0).all()
        assert agnostic or set(rivals.class_id.tolist()) <= {name}


def test_rotated_rivals_overlap_and_are_worse(build, picture):
    trace = anatomy.trace(build("yolov8n-obb", picture), picture, iou=0.3, **ARGS)
    assert sum(map(len, trace.detections.suppressed)) > 20
    kept = set(trace.detections.anchor.tolist())
    for rivals, confidence in zip(trace.detections.suppressed, trace.detections.confidence, strict=True):
        assert (rivals.confidence <= confidence).all()
        assert not kept & set(rivals.anchor.tolist())


def test_one_to_one_heads_have_no_rivals(build, picture):
    trace = anatomy.trace(build("yolov10n", picture), picture, nms=False, **ARGS)
    assert trace.branch == "one2one"
    assert len(trace.detections) > 5
    assert all(len(rivals) == 0 for rivals in trace.detections.suppressed)


def test_predict_arguments_pass_through(model, picture):
    plain = anatomy.trace(model, picture, **ARGS)
    some = sorted(set(plain.detections.class_id.tolist()))[:2]
    only = anatomy.trace(model, picture, classes=some, max_det=3, conf=0.3, **ARGS)
    assert len(only.detections) <= 3
    assert set(only.detections.class_id.tolist()) <= set(some)
    with surgery.scratch(model):
        surgery.bias_classes(model, "all", some[0], 2.0)
        fresh = model.predict(picture, classes=some, max_det=3, conf=0.3, verbose=False, **ARGS)[0]
        assert torch.equal(rows(only.replay()), fresh.boxes.data)
    for name in ("augment", "embed", "visualize", "compile"):
        with pytest.raises(ValueError, match=f"{name}=.* cannot be traced"):
            anatomy.trace(model, picture, **{name: [1] if name == "embed" else True}, **ARGS)


def test_objectness_logits_and_distribution(model, picture):
    trace = anatomy.trace(model, picture, **ARGS)
    assert [tuple(level.shape) for level in trace.logits] == [(80, 16, 24), (80, 8, 12), (80, 4, 6)]
    for level, heat in zip(trace.logits, trace.objectness(), strict=True):
        assert torch.allclose(heat, level.sigmoid().amax(0))
    bins = trace.distribution(0)
    assert bins.shape == (4, 16)
    assert torch.allclose(bins.sum(1), torch.ones(4))
    sides = (bins * torch.arange(16)).sum(1) * trace.detections.stride[0]
    x1, y1, x2, y2 = trace.decode(trace.detections.anchor[:1])[0]
    assert abs(float(sides[0] + sides[2]) - (x2 - x1)) < 1e-4
    assert abs(float(sides[1] + sides[3]) - (y2 - y1)) < 1e-4
    with pytest.raises(IndexError, match=r"Detection 9999 does not exist: this image has \d+"):
        trace.distribution(9999)
    with pytest.raises(ValueError, match=r"Anchors run from 0 to 503"):
        trace.decode([504])


@pytest.mark.parametrize("shape", [(1, 1), (8000, 40), (40, 8000), (31, 97), (500, 375)])
def test_odd_sizes_map_cells_through_the_letterbox(model, shape):
    rng = np.random.default_rng(1)
    trace = anatomy.trace(model, rng.integers(0, 255, (*shape, 3), dtype=np.uint8), conf=0.01, **ARGS)
    assert trace.image.shape == (*shape, 3)
    found = trace.detections
    back = trace.letterbox.to_input(found.center)
    assert np.allclose(back, np.stack((found.col + 0.5, found.row + 0.5), 1) * found.stride[:, None])
    assert np.allclose(trace.letterbox.to_original(trace.letterbox.to_input([[3.0, 4.0]])), [[3, 4]])
    boxes = trace.letterbox.to_original(trace.decode(found.anchor)).clip(0, np.tile(shape[::-1], 2))
    assert np.allclose(boxes, found.xyxy, atol=max(shape) * 1e-5 + 1e-3)


def test_a_bare_network_is_traced_and_edited_as_its_yolo_object_would_be(build, picture):
    model = build("yolov8n", picture)
    net = model.model
    expected = model.predict(picture, verbose=False, **ARGS)[0].boxes.data
    surgery.shift_classes(net, "all", 1)  # the YOLO object has predicted already, and runs a copy
    moved = model.predict(picture, verbose=False, **ARGS)[0].boxes.data
    assert not torch.equal(moved[:, 5], expected[:, 5])
    assert torch.equal(rows(anatomy.trace(net, picture, **ARGS)), moved)
    assert surgery.history(model) == surgery.history(net)
    lonely = type(net)(copy.deepcopy(net.yaml), verbose=False)
    lonely.load_state_dict(net.state_dict())
    assert torch.equal(rows(anatomy.trace(lonely, picture, **ARGS)), moved)
    surgery.shift_classes(lonely, "all", -1)
    assert torch.equal(rows(anatomy.trace(lonely, picture, **ARGS)), expected)


def test_a_trace_outlives_its_branch_and_says_so(build, picture):
    model = build("yolov10n", picture)
    trace = anatomy.trace(model, picture, nms=False, **ARGS)
    model.model.end2end = False
    model.fuse(verbose=False)
    with pytest.raises(RuntimeError, match=r"one2one branch of this trace has been removed"):
        trace.replay()


def test_comparison_tells_levels_by_class_shift_and_names_who_was_freed(model, picture):
    with surgery.scratch(model):
        surgery.bias_classes(model, "all", 0, 6.0)  # one class at all levels, so that levels suppress each other
        before = anatomy.trace(model, picture, iou=0.1, **ARGS)
        surgery.shift_classes(model, 1, 1)
        surgery.shift_classes(model, 2, 5)
        after = before.replay()
    joined = anatomy.compare(before, after)
    freed = 0
    for row in range(len(joined)):
        if joined.before[row] >= 0 and joined.after[row] >= 0:
            assert joined.class_shift[row] == (0, 1, 5)[before.detections.level[joined.before[row]]]
        elif joined.before[row] < 0:
            rivals = before.detections.suppressed[joined.freed_from[row]]
            assert joined.anchor[row] in rivals.anchor
            freed += 1
    assert freed > 0
    assert joined.status.count("new") == freed
    table = joined.to_df()
    assert table["freed_from"].drop_nulls().len() == freed
    assert table["class_before"].null_count() == freed
    assert table.filter(table["status"] == "class")["class_shift"].is_in([1, 5]).all()
    with pytest.raises(ValueError, match="same image and input size"):
        anatomy.compare(before, anatomy.trace(model, picture[:64], **ARGS))


@pytest.mark.parametrize(("name", "nms"), [("yolov8n-obb", None), ("yolo26n-obb", None), ("yolo26n-obb", False)])
def test_rotated_boxes_are_told_by_their_corners(build, picture, name, nms):
    trace = anatomy.trace(build(name, picture), picture, nms=nms, **ARGS)
    assert trace.rotated and len(trace.detections)
    assert np.array_equal(trace.corners, trace.result.obb.xyxyxyxy.cpu().numpy().astype(np.float64))
    low, high = trace.corners.min(1), trace.corners.max(1)
    assert np.allclose(np.concatenate((low, high), 1), trace.detections.xyxy, atol=1e-3)
    far = pickle.loads(pickle.dumps(trace))
    assert far.rotated and np.array_equal(far.corners, trace.corners)
    none = anatomy.trace(trace.head.yolo, picture, nms=nms, **{**ARGS, "conf": 0.9999999})
    assert none.rotated and none.corners.shape == (0, 4, 2)


def test_upright_boxes_have_corners_too(build, picture):
    trace = anatomy.trace(build("yolov8n", picture), picture, **ARGS)
    x1, y1, x2, y2 = trace.detections.xyxy.T
    assert not trace.rotated
    assert np.array_equal(trace.corners, np.stack((x1, y1, x2, y1, x2, y2, x1, y2), 1).reshape(-1, 4, 2))
