"""On a GPU the diagnoses say what they say on the CPU, and users' functions may live there."""

import copy

import numpy as np
import polars
import pytest
import torch
from torch import nn
from torchvision.ops import nms

import anatomy
import diagnosis
from detectors import demo_scene, demo_weights
from diagnosis import TargetLayout
from tests.contract.rows import PICTURE
from tests.cuda import DEVICE, full_precision, needs_cuda
from tests.diagnosis.doctor.schemes import CLASSES, schemes
from tests.diagnosis.surveys.sets import scene_set
from tests.diagnosis.test_other_tasks import given
from tests.ultralytics_nets import as_published, small

pytestmark = needs_cuda
DEVICES = ("cpu", DEVICE)


@pytest.fixture(autouse=True)
def _full_precision():
    with full_precision():
        yield


@pytest.fixture(scope="module")
def demos():
    """The bundled detector's trace of its scene on both devices, and what is in the scene."""
    from ultralytics import YOLO

    scene = demo_scene()
    picture = scene.image[..., ::-1].copy()
    with full_precision():
        traces = [anatomy.trace(YOLO(demo_weights()), picture, device=device, conf=0.9) for device in DEVICES]
    return traces, scene.boxes, scene.labels


def test_missed_objects_and_their_stages(demos):
    traces, boxes, labels = demos
    here, there = (diagnosis.missed(trace, torch.from_numpy(boxes).to(trace.logits[0]), labels) for trace in traces)
    stages = [[one.stage(i) for i in range(len(boxes))] for one in (here, there)]
    assert stages[0] == stages[1] and set(stages[0]) > {""}
    columns = [name for name, kind in here.to_df().schema.items() if not kind.is_float()]
    assert there.to_df().select(columns).equals(here.to_df().select(columns))


def test_what_each_level_is_worth_to_a_detection(demos):
    here, there = map(diagnosis.level_evidence, demos[0])
    assert len(there.detections) > 2
    assert there.verdicts == here.verdicts


def test_a_survey_has_the_same_rows(tmp_path):
    from ultralytics import YOLO

    data = scene_set(tmp_path / "set", images=4)
    here, there = (
        diagnosis.survey(
            YOLO(demo_weights()),
            data,
            tmp_path / device.replace(":", ""),
            imgsz=160,
            batch=2,
            shard=2,
            workers=0,
            ablation=True,
            progress=False,
            device=device,
        )
        for device in DEVICES
    )
    for name in ("objects", "detections"):
        mine, other = (getattr(one, name).collect() for one in (there, here))
        assert len(mine) == len(other) > 4
        kinds = [name for name, kind in mine.schema.items() if not kind.is_float() and not kind.is_nested()]
        order = [name for name in ("number", "anchor", "class_id") if name in kinds]
        assert mine.select(kinds).sort(order).equals(other.select(kinds).sort(order))
        numbers = [name for name, kind in mine.schema.items() if kind.is_float()]
        for column in numbers:
            pair = [one.sort(order)[column].cast(polars.Float64).to_numpy() for one in (mine, other)]
            np.testing.assert_allclose(*pair, atol=0.05, err_msg=column)
    assert there.scores() == pytest.approx(here.scores(), abs=1e-3)
    worth = [one.worth().select(polars.col(polars.Float64)).to_numpy() for one in (there, here)]
    np.testing.assert_allclose(*worth, atol=0.02)


ROWS = [("yolov8n", None), ("yolo26n", "one2many"), ("yolo26n", "one2one")]
ROWS += [(f"yolov8n-{task}", None) for task in ("seg", "pose", "obb")]
ROWS += [(f"yolo26n-{task}", branch) for task in ("seg", "pose", "obb") for branch in ("one2many", "one2one")]


@pytest.mark.parametrize(("name", "branch"), ROWS)
def test_positives_and_losses_by_level(name, branch):
    objects, more = given(name.partition("-")[2])
    found, paid = [], []
    for device in DEVICES:
        model = small(name, PICTURE, 1 if "pose" in name else 4, bodiless=True)
        trace = anatomy.trace(model, PICTURE, imgsz=128, device=device)
        assert trace.logits[0].device == torch.device(device)
        found.append(diagnosis.assign(model, trace, *objects, branch=branch, **more))
        paid.append(diagnosis.loss_by_level(model, trace, *objects, branch=branch, **more))
    here, there = (dict(zip(one.anchor.tolist(), one.object.tolist(), strict=True)) for one in found)
    assert there == here and len(here) > 1
    assert found[1].why == found[0].why
    np.testing.assert_array_equal(found[1].counts, found[0].counts)
    np.testing.assert_allclose(np.sort(found[1].alignment), np.sort(found[0].alignment), rtol=2e-3, atol=1e-6)
    assert paid[1].totals == pytest.approx(paid[0].totals, rel=2e-3)
    np.testing.assert_allclose(paid[1].values, paid[0].values, rtol=5e-3, atol=1e-4)


def test_labels_that_lie_on_the_gpu_are_taken(picture):
    model = as_published("yolov8n", picture, bodiless=True)
    boxes, labels = torch.tensor([[10.0, 12, 90, 100]]), torch.tensor([2])
    plain = diagnosis.assign(model, picture, boxes, labels, imgsz=192, device=DEVICE)
    there = diagnosis.assign(model, picture, boxes.to(DEVICE), labels.to(DEVICE), imgsz=192, device=DEVICE)
    np.testing.assert_array_equal(plain.anchor, there.anchor)


class Explodes(nn.Module):
    def forward(self, x):
        return (x * 1e30) * 1e30


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_scales_of_layers(dtype):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1))
    x = torch.rand(2, 3, 16, 16)
    here = diagnosis.numerics(copy.deepcopy(net), x, progress=False)
    there = diagnosis.numerics(copy.deepcopy(net).to(DEVICE, dtype), x.to(DEVICE, dtype), progress=False)
    rough = 1e-4 if dtype == torch.float32 else 2e-2
    assert [layer.name for layer in there.layers] == [layer.name for layer in here.layers]
    np.testing.assert_allclose(there.forward.rms, here.forward.rms, rtol=rough)
    np.testing.assert_allclose(there.backward.norm, here.backward.norm, rtol=5 * rough, atol=rough)
    assert there.first_non_finite is None
    broken = nn.Sequential(net, Explodes(), nn.Conv2d(4, 4, 1)).to(DEVICE, dtype)
    before = {name: value.clone() for name, value in broken.state_dict().items()}
    for inside in (False, True):
        told = diagnosis.numerics(broken, x.to(DEVICE, dtype), progress=False, inside=inside)
        assert told.first_non_finite.name.startswith("'1")
    assert all(torch.equal(value, before[name]) for name, value in broken.state_dict().items())
    with pytest.raises(ValueError, match="The input is on cpu, but the model on cuda:0"):
        diagnosis.numerics(broken, x.to(dtype), progress=False)


def test_scales_over_steps_and_under_autocast():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1)).to(DEVICE)
    x = torch.rand(2, 3, 16, 16, device=DEVICE)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with torch.autocast("cuda"):
        told = diagnosis.numerics(
            net, x, steps=2, optimizer=lambda weights: torch.optim.SGD(weights, lr=0.1), progress=False
        )
    assert len(told.forward.rms) == 3 and told.first_non_finite is None
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


OPTIONS = {
    "multiscale": {"budget": 2, "progress": False},
    "integrated gradients": {"steps": 4},
    "occlusion": {"progress": False},
    "ablation": {"regions": 8, "progress": False},
    "kernelshap": {"regions": 8, "samples": 16, "progress": False},
    "drise": {"masks": 16, "batch": 8, "progress": False},
}
METHODS = ("layercam levels", "gradcam", "gradcam++", "layercam", "odam", "eigencam", *OPTIONS)


@pytest.mark.parametrize("method", METHODS)
def test_maps_of_a_detection_are_those_on_the_cpu(picture, method):
    maps = []
    for device in DEVICES:
        trace = anatomy.trace(as_published("yolov8n", picture, bodiless=True), picture, imgsz=192, device=device)
        maps.append(diagnosis.attribute(trace, 0, method, **OPTIONS.get(method, {})).map)
    assert maps[0].any()
    rank = np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1]
    assert rank > 0.98


def test_faithfulness_is_measured_there(picture):
    trace = anatomy.trace(as_published("yolov8n", picture, bodiless=True), picture, imgsz=192, device=DEVICE)
    scores = diagnosis.faithfulness(diagnosis.attribute(trace, 0, "odam"))
    assert np.isfinite(scores.insertion) and np.isfinite(scores.deletion)


def on_the_gpu(encode):
    """The same encoder, whose targets are made on the GPU."""

    def encode_there(boxes, labels, size):
        made = encode(boxes, labels, size)
        return made.to(DEVICE) if isinstance(made, torch.Tensor) else [level.to(DEVICE) for level in made]

    return encode_there


def test_an_encoder_that_lives_there_is_examined_and_its_layout_found():
    scheme = schemes()["fcos"]
    report = diagnosis.check_targets(on_the_gpu(scheme), scheme.layout, image_sizes=((256, 384),))
    assert report.ok, str(report)
    found = diagnosis.infer_layout(on_the_gpu(scheme), num_classes=CLASSES)
    assert found.layout == diagnosis.infer_layout(scheme, num_classes=CLASSES).layout


LAYOUT = TargetLayout(format="ltrb", unit="stride", objectness=None, classes=slice(4, 8))


def decode(outputs):
    """Boxes (B, N, 4) and scores (B, N, 4) on the GPU."""
    boxes, scores = [], []
    for level, stride in zip(outputs, LAYOUT.strides, strict=True):
        level = level.to(DEVICE)
        places = [(torch.arange(side, device=DEVICE) + 0.5) * stride for side in level.shape[2:]]
        y, x = torch.meshgrid(*places, indexing="ij")
        grid = torch.stack((x, y))[None]
        boxes.append(torch.cat((grid - level[:, :2] * stride, grid + level[:, 2:4] * stride), 1).flatten(2))
        scores.append(level[:, 4:8].flatten(2))
    return torch.cat(boxes, 2).permute(0, 2, 1), torch.cat(scores, 2).permute(0, 2, 1)


def select(outputs):
    """The detections of each image, as many detectors return them: (n, 6) on the GPU."""
    found = []
    for box, score in zip(*decode(outputs), strict=True):
        top, label = score.max(1)
        sure = (top > 0.3).nonzero()[:, 0]
        kept = sure[nms(box[sure], top[sure], 0.7)]
        found.append(torch.cat((box[kept], top[kept, None], label[kept, None].to(box)), 1))
    return found


@pytest.mark.parametrize("function", [decode, select])
def test_a_decoder_that_lives_there_is_examined(function):
    report = diagnosis.check_decoder(function, LAYOUT)
    assert not report.errors, str(report)


def loss(predictions, targets):
    """L1 of the boxes of cells with an object, and cross-entropy of all classes, on the GPU."""
    total = torch.zeros((), device=DEVICE)
    for level, truth in zip(predictions, targets, strict=True):
        level, truth = level.to(DEVICE), truth.to(DEVICE)
        held = truth[:, 4:].amax(1, keepdim=True) > 0
        total = total + ((level[:, :4] - truth[:, :4]).abs() * held).sum()
        total = total + nn.functional.binary_cross_entropy_with_logits(level[:, 4:], truth[:, 4:], reduction="sum")
    return total


def prepare(targets):
    return [torch.cat((level[:, :4], level[:, 4:].clamp(1e-4, 1 - 1e-4).logit()), 1) for level in targets]


def test_a_loss_that_lives_there_is_examined():
    report = diagnosis.check_loss(loss, LAYOUT, image_size=(64, 96), prepare=prepare, box_channels=range(4))
    assert not report.findings, str(report)
