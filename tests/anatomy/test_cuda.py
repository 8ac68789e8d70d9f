"""On a GPU traces and criteria tell what they tell on the CPU, and pickled they hold no tensor of the GPU."""

import pickle

import cv2
import numpy as np
import pytest
import torch

import anatomy
import surgery
from anatomy.families.ultralytics.criteria.listening import listening
from tests.criteria import KINDS, Alone, batch_for
from tests.cuda import DEVICE, full_precision, needs_cuda

pytestmark = needs_cuda
ARGS = {"imgsz": 192}
HEADS = [
    ("yolov8n", {}),
    ("yolo11n", {}),
    ("yolo26n", {}),
    ("yolo26n", {"nms": False}),
    *((f"yolov8n-{task}", {}) for task in ("seg", "pose", "obb")),
]


def told(trace):
    """What is told of each detection: its place and class exactly, its numbers, and who was suppressed for it."""
    found = trace.detections
    places = list(zip(found.anchor.tolist(), found.class_id.tolist(), strict=True))
    order = sorted(range(len(places)), key=places.__getitem__)
    columns = ("level", "row", "col", "anchor", "class_id", "branch")
    exact = [[getattr(found, name)[i] for name in columns] for i in order]
    lost = [sorted(zip(one.anchor.tolist(), one.class_id.tolist(), strict=True)) for one in found.suppressed]
    return exact, found.xyxy[order], found.confidence[order], [lost[i] for i in order]


@pytest.mark.parametrize(("name", "more"), HEADS)
def test_a_trace_tells_what_it_tells_on_the_cpu(build, picture, name, more):
    with full_precision():
        here = anatomy.trace(build(name, picture), picture, device="cpu", **ARGS, **more)
        there = anatomy.trace(build(name, picture), picture, device=DEVICE, **ARGS, **more)
        assert there.logits[0].device == torch.device(DEVICE)
        assert len(here.detections) > 5
        for mine, other in zip(told(there), told(here), strict=True):
            if isinstance(mine, np.ndarray):
                np.testing.assert_allclose(mine, other, atol=2e-3 if mine.ndim == 1 else 0.05)
            else:
                assert mine == other
        travelled = pickle.loads(pickle.dumps(there))
    assert travelled.to_df().equals(there.to_df())
    for kept in (travelled.logits[0], travelled.features[0], travelled.frame):
        assert kept.device.type == "cpu"


def test_a_stream_in_batches_and_a_comparison(build, picture, tmp_path):
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.roll(picture, 16 * index, axis=1))
    model = build("yolov8n", picture)
    with full_precision():
        alone = [anatomy.trace(model, tmp_path / f"{index}.png", device=DEVICE, **ARGS) for index in range(3)]
        found = list(anatomy.stream(model, tmp_path, batch=2, device=DEVICE, **ARGS))
        for trace, other in zip(found, alone, strict=True):
            assert abs(len(trace.detections) - len(other.detections)) <= 2
            assert torch.equal(trace.replay().result.boxes.data, trace.result.boxes.data)
        assert set(anatomy.compare(alone[0], alone[0].replay()).status) == {"same"}
        silent = int(alone[0].detections.class_id[0])
        surgery.zero_classes(model, "all", silent)
        change = anatomy.compare(alone[0], alone[0].replay())
    gone = [status == "gone" for status in change.status]
    assert [int(one) for one, left in zip(change.classes[:, 0], gone, strict=True) if left].count(silent) == sum(
        alone[0].detections.class_id == silent
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_criterion_gives_each_cell_is_what_it_gives_on_the_cpu(kind):
    with full_precision():
        here, there = (_listened(kind, device) for device in ("cpu", DEVICE))
    for mine, other in zip(there, here, strict=True):
        assert mine.object.device == torch.device(DEVICE)
        assert torch.equal(mine.object.cpu(), other.object)
        assert [boxes.tolist() for boxes in mine.labels] == [boxes.tolist() for boxes in other.labels]
        for boxes, others in zip(mine.boxes, other.boxes, strict=True):
            torch.testing.assert_close(boxes.cpu(), others)
        sums = {name: float(share.double().sum()) for name, share in mine.losses.items()} | dict(mine.unplaced)
        assert sums == pytest.approx(dict(mine.items), rel=1e-5, abs=1e-9)
        assert dict(mine.items) == pytest.approx(dict(other.items), rel=1e-4)
        for name, share in mine.losses.items():
            torch.testing.assert_close(share.cpu(), other.losses[name], rtol=1e-3, atol=1e-5)
        assert pickle.loads(pickle.dumps(mine)).object.device.type == "cpu"


def _listened(kind: str, device: str):
    net = Alone(kind).to(device)
    net.model[0].stride = net.model[0].stride.to(device)
    criterion, batch = net.criterion(), {name: value.to(device) for name, value in batch_for(kind).items()}
    with listening(criterion) as heard:
        criterion(net([map_.to(device) for map_ in net.features()]), batch)[0].sum().backward()
    return heard
