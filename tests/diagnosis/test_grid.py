"""No stock head is accused, and every planted fault of a grid is named at its level."""

import numpy as np
import pytest
import torch
from torch import nn
from ultralytics import YOLO

import anatomy
import diagnosis
from anatomy import Level
from anatomy.ultralytics_head import UltralyticsHead
from detectors import demo_weights, draw_scene
from diagnosis.motion import measure_motion
from tests.anatomy.test_contract import TwoLevels, TwoLevelsHead

STEP = {"step": 64}


class Planted(TwoLevels):
    """A foreign detector with one fault in what its head hands over."""

    def __init__(self, fault: str = ""):
        super().__init__()
        self.fault = fault

    def describe_head(self):
        return PlantedHead(self)


class PlantedHead(TwoLevelsHead):
    def __init__(self, net):
        super().__init__(net)
        self.fault = net.fault
        strides = {"declared_stride": (8.0, 32.0), "reversed": (16.0, 8.0)}.get(net.fault, (8.0, 16.0))
        self.levels = tuple(
            Level(index, f"P{int(np.log2(stride))}", stride, 8, {"one2many": f"cls.{index}"})
            for index, stride in enumerate(strides)
        )

    def passes(self, source, conf, iou, imgsz):
        for run in super().passes(source, conf, iou, imgsz):
            logits = run.logits
            if self.fault == "transposed":
                logits = tuple(level.transpose(1, 2).contiguous() for level in logits)
            if self.fault == "transposed_inside":
                logits = tuple(level.transpose(1, 2).reshape(level.shape) for level in logits)
            if self.fault == "mixed":
                logits = tuple(level.flatten(1).T.reshape(level.shape) for level in logits)
            yield run.evolve(logits=logits)

    def xyxy(self, run, anchors):
        boxes = super().xyxy(run, anchors)
        if self.fault == "decoder_swaps":
            return boxes[:, [1, 0, 3, 2]]
        return boxes * 2 if self.fault == "decoder_doubles" else boxes


def planted(fault: str = "") -> Planted:
    torch.manual_seed(3)
    net = Planted(fault)
    with torch.no_grad():
        net.stem.weight.mul_(4)
        for conv in (*net.cls, *net.box):
            nn.init.normal_(conv.weight)
    return net


@pytest.mark.parametrize("name", ["yolov8n", "yolov8n-p2", "yolov8n-obb", "yolov3-tiny", "yolo12n", "yolo26n-seg"])
def test_no_random_stock_head_is_accused(build, picture, name):
    report = diagnosis.check_grid(build(name, picture), step=64)
    assert report.ok, str(report)
    assert set(report.codes) <= {"undecided"}


def test_the_embedded_detector_lies_as_declared():
    scenes = [draw_scene(seed) for seed in range(3)]
    data = [(scene.image[..., ::-1].copy(), scene.boxes, scene.labels) for scene in scenes]
    report = diagnosis.check_grid(YOLO(demo_weights()), data)
    assert report.codes == (), str(report)
    assert report.probes in (7, 11, 15)  # four passes a round, and the labelled images


def test_trained_weights_lie_as_declared(real):
    for name in ("yolov8n", "yolo11n"):
        report = diagnosis.check_grid(YOLO(real / "weights" / f"{name}_coco.pt"))
        assert report.ok, str(report)


@pytest.mark.parametrize(
    ("fault", "code", "level"),
    [
        ("", None, None),
        ("declared_stride", "wrong_stride", 1),
        ("reversed", "levels_reversed", None),
        ("transposed", "axes_swapped", 0),
        ("transposed_inside", "scrambled_layout", 0),
        ("mixed", "scrambled_layout", 0),
        ("decoder_swaps", "axes_swapped", 0),
        ("decoder_doubles", "wrong_stride", 0),
    ],
)
def test_a_planted_fault_is_named(fault, code, level):
    report = diagnosis.check_grid(planted(fault), **STEP)
    assert report.codes == (() if code is None else (code,)), str(report)
    if code is not None:
        assert report.findings[0].level == level
        assert report.findings[0].severity == "error"
        assert report.findings[0].evidence


class Shifted:
    """The embedded detector with a decoder that lays its anchor points ``cells`` beside their place."""

    def __init__(self, yolo, cells):
        self.yolo, self.cells = yolo, cells

    def describe_head(self):
        head = UltralyticsHead(self.yolo)
        truth, shift = head.xyxy, self.cells

        def xyxy(run, anchors):
            places = anatomy.grid.cells(anchors.numpy(), run.shapes)
            stride = torch.tensor([level.stride for level in head.levels])[torch.from_numpy(places.level)]
            return truth(run, anchors) + shift * stride[:, None]

        head.xyxy = xyxy
        return head


@pytest.mark.parametrize(("cells", "code"), [(0, None), (-0.5, "half_cell_offset"), (1, "off_by_one_cell")])
def test_labels_tell_the_offset_of_the_decoder(cells, code):
    scenes = [draw_scene(seed) for seed in range(4)]
    data = [(scene.image[..., ::-1].copy(), scene.boxes, scene.labels) for scene in scenes]
    report = diagnosis.check_grid(Shifted(YOLO(demo_weights()), cells), data)
    assert report.codes == (() if code is None else (code,)), str(report)
    assert {finding.level for finding in report} == (set() if code is None else {0, 1, 2})
    for finding in report:
        assert finding.evidence["offset"] == pytest.approx((cells, cells), abs=0.2)


def test_motion_is_found_by_hand():
    rng = np.random.default_rng(0)
    patch = rng.normal(size=(3, 3, 4))
    before, after = np.zeros((3, 10, 14)), np.zeros((3, 10, 14))
    before[:, 2:5, 3:7] = patch
    after[:, 4:7, 2:6] = patch
    move = measure_motion(before, after, (2, -1))
    assert (move.rows, move.cols) == (2, -1)
    assert move.agreement == pytest.approx(1)
    assert move.declared == pytest.approx(1)
    assert measure_motion(before, after, (40, 0)).declared is None


def test_a_step_that_is_no_whole_number_of_cells_is_refused():
    with pytest.raises(ValueError, match="multiple of every stride"):
        diagnosis.check_grid(planted(), step=24)
