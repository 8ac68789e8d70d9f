"""No stock head is accused, and every planted fault of a grid is named at its level."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from ultralytics import YOLO

import anatomy
import diagnosis
from anatomy import Level
from anatomy.families.ultralytics.head import UltralyticsHead
from detectors import demo_weights, draw_scene
from detectors.fastvit import FastViTDetector, NaiveDetector
from diagnosis import GridLevel, Sight
from diagnosis.grid.aim import Aim
from diagnosis.grid.motion import Motion, measure_motion
from diagnosis.grid.offset import ObjectOffset, _offsets
from diagnosis.grid.verdict import judge
from tests.contract.own_detector import TwoLevels, TwoLevelsHead

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
    asked = name in ("yolov8n", "yolo26n-seg")  # gradients take most of the time
    report = diagnosis.check_grid(build(name, picture), step=64, sight=asked)
    assert report.ok, str(report)
    assert set(report.codes) <= {"undecided"}
    assert all(level.aim.offset == pytest.approx((0, 0), abs=0.06) for level in report.levels)
    assert [level.sight is not None for level in report.levels] == [asked] * len(report.levels)


def test_the_embedded_detector_lies_as_declared():
    scenes = [draw_scene(seed) for seed in range(3)]
    data = [(scene.image[..., ::-1].copy(), scene.boxes, scene.labels) for scene in scenes]
    report = diagnosis.check_grid(YOLO(demo_weights()), data)
    assert report.codes == (), str(report)
    assert report.probes in (10, 15, 20)  # five passes a round, two textures, and the labelled images
    for level in report.levels:
        assert level.aim.offset == pytest.approx((0, 0), abs=0.01)
        assert level.objects.offset == pytest.approx((0, 0), abs=0.15)
        assert level.sight.straight
        assert np.abs(level.sight.offset).max() < 0.6
    assert "its boxes are measured +0.00" in str(report)


def test_trained_weights_lie_as_declared(real):
    for name in ("yolov8n", "yolo11n"):
        report = diagnosis.check_grid(YOLO(real / "weights" / f"{name}_coco.pt"), step=64, sight=name == "yolov8n")
        assert report.ok, str(report)
        assert all(level.aim.offset == pytest.approx((0, 0), abs=0.01) for level in report.levels)


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
    reasons = ("does not say how", "no cell is asked")  # this network has no forward(); a grid of another size
    assert any(words in report.blind for words in reasons) or not report.levels
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
            places = head.pyramid(run).cells(anchors)
            stride = torch.tensor([level.stride for level in head.levels])[torch.from_numpy(places.level)]
            return truth(run, anchors) + shift * stride[:, None]

        head.xyxy = xyxy
        return head


@pytest.mark.parametrize(("cells", "code"), [(0, None), (-0.5, "half_cell_offset"), (1, "off_by_one_cell")])
def test_labels_tell_the_offset_of_the_decoder(cells, code):
    scenes = [draw_scene(seed) for seed in range(4)]
    data = [(scene.image[..., ::-1].copy(), scene.boxes, scene.labels) for scene in scenes]
    report = diagnosis.check_grid(Shifted(YOLO(demo_weights()), cells), data, **STEP, sight=False)
    assert report.codes == (() if code is None else (code,)), str(report)
    assert {finding.level for finding in report} == (set() if code is None else {0, 1, 2})
    for finding in report:
        assert finding.evidence["offset"] == pytest.approx((cells, cells), abs=0.2)


@pytest.mark.parametrize(
    ("cells", "code"), [(0.25, None), (-0.5, "half_cell_offset"), (-1, "off_by_one_cell"), (1, "off_by_one_cell")]
)
@pytest.mark.parametrize("name", ["demo", "yolov8n", "yolo26n"])
def test_the_offset_of_the_decoder_needs_no_labels(build, picture, name, cells, code):
    model = YOLO(demo_weights()) if name == "demo" else build(name, picture)
    report = diagnosis.check_grid(Shifted(model, cells), step=64, sight=False)
    assert [finding.code for finding in report.errors] == ([] if code is None else [code] * 3), str(report)
    for level in report.levels:
        assert level.aim.offset == pytest.approx((cells, cells), abs=0.02)


def test_a_decoder_whose_boxes_lie_on_objects_is_not_accused_for_its_offset():
    level = reading(aim=Aim(np.eye(2), np.array([-0.5, -0.5]), 0.0), objects=ObjectOffset(np.full((9, 2), 0.02)))
    (finding,) = judge(level, 128)
    assert (finding.code, finding.severity) == ("half_cell_offset", "warning")
    assert "trained so" in finding.message


def reading(**parts) -> GridLevel:
    """A level of stride 8 whose cells and boxes move as declared, but for these parts."""
    x, y = Motion(0, 16, 1.0, 1.0), Motion(16, 0, 1.0, 1.0)
    whole = {"boxes_right": np.array([128.0, 0]), "boxes_down": np.array([0, 128.0]), "signal": 1.0}
    whole |= {"aim": Aim(np.eye(2), np.zeros(2), 0.0), "right": x, "down": y, **parts}
    return GridLevel(0, "P3", 8.0, (64, 80), **whole)


def seen(change) -> Sight:
    """A sight whose cells look at ``change`` of their points."""
    row, col = (part.ravel() for part in np.meshgrid([19, 44], [20, 40, 60]))
    declared = (np.stack((col, row), 1) + 0.5) * 8
    return Sight(row, col, declared, change(declared), 8.0)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda points: points - 4, None, ""),
        (lambda points: points + 12, "off_by_one_cell", r"\+1.50 cells to the right"),
        (lambda points: points - (0, 12), "off_by_one_cell", r"-1.50 down"),
        (lambda points: points + 12 * np.array([[1, 0], [-1, 0], [1, 0], [-1, 0], [1, 0], [4, 0]]), None, ""),
    ],
)
def test_cells_that_look_a_whole_cell_aside_are_named(change, code, words):
    findings = list(judge(reading(sight=seen(change)), 128))
    assert [finding.code for finding in findings] == ([] if code is None else [code])
    assert all(re.search(words, finding.message) for finding in findings)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda points: points, None, ""),
        (lambda points: points[:, ::-1], "axes_swapped", "transpose"),
        (lambda points: points * 2, "wrong_stride", "stride 16"),
        (lambda points: points * (-1, 1), "scrambled_layout", "columns run the wrong way"),
        (lambda points: points * 0 + 200, "undecided", "too faint"),
    ],
)
def test_gradients_decide_where_a_moving_patch_is_too_faint(change, code, words):
    faint = Motion(3, 5, 0.5, 0.0)
    findings = list(judge(reading(right=faint, down=faint, signal=0.0, sight=seen(change)), 128))
    assert [finding.code for finding in findings] == ([] if code is None else [code])
    assert all(words in finding.message for finding in findings)


class Rearranged(Shifted):
    """A detector that hands its class logits over otherwise than they were made."""

    def describe_head(self):
        head = UltralyticsHead(self.yolo)
        truth, change = head.passes, self.cells

        def passes(source, **args):
            yield from (run.evolve(logits=tuple(map(change, run.logits))) for run in truth(source, **args))

        head.passes = passes
        return head


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda level: level.roll(1, 2), "off_by_one_cell", "cells look -1"),
        (lambda level: level.roll(-1, 1), "off_by_one_cell", r"\+1\.\d\d down"),
        (lambda level: level.flip(2), "scrambled_layout", "columns run the wrong way"),
        (lambda level: level.transpose(1, 2).reshape(level.shape), "scrambled_layout", "Check reshapes"),
    ],
)
def test_rearranged_logits_are_named_without_labels(change, code, words):
    report = diagnosis.check_grid(Rearranged(YOLO(demo_weights()), change), **STEP)
    assert report.codes == (code,), str(report)
    assert re.search(words, report.findings[0].message)
    assert report.findings[0].severity == "error"


def test_a_roll_within_a_random_network_is_seen(build, picture):
    model = build("yolov8n", picture)
    conv = anatomy.describe(model).class_conv(1, "one2many")
    with torch.no_grad():
        handle = conv.register_forward_hook(lambda _, inputs, output: output.roll(1, 3))
    report = diagnosis.check_grid(model, step=64)
    handle.remove()
    assert [(finding.code, finding.level) for finding in report.errors] == [("off_by_one_cell", 1)], str(report)


def test_the_fastvit_detector_lies_as_declared_and_the_published_one_does_not():
    torch.manual_seed(0)
    report = diagnosis.check_grid(FastViTDetector(3, "fastvit_t8", branches=1), step=64, sight=False)
    assert report.codes in ((), ("undecided",)), str(report)
    assert all(level.aim.offset == pytest.approx((0, 0), abs=0.02) for level in report.levels)
    naive = diagnosis.check_grid(NaiveDetector(3, "fastvit_t8", branches=1), step=64, sight=False)
    assert {finding.code for finding in naive.errors} == {"scrambled_layout"}, str(naive)


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


def test_objects_are_measured_in_steps_where_these_are_not_the_stride():
    pyramid = anatomy.Pyramid(((6, 6),), ((16.0, 12.0),))
    level = anatomy.Level(0, "P4", 16.0, 1, {})
    truth = np.array([[30.0, 20.0, 70.0, 60.0]])
    seen = SimpleNamespace(
        levels=(level,),
        steps=pyramid.steps,
        places=pyramid.cells,
        points=pyramid.points,
        scores=lambda: torch.full((1, pyramid.count), 0.9),
        decode=lambda anchors: (truth + np.array([8, 6, 8, 6])).repeat(len(anchors), 0),
    )
    ((index, offset),) = _offsets(seen, truth, [0])
    assert index == 0
    assert offset.tolist() == [0.5, 0.5]
