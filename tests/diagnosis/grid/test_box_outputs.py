"""Box outputs that lie in other cells than the classes are found without labels; wrong labels are not the decoder's."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from ultralytics import YOLO

import anatomy
import diagnosis
from detectors import demo_weights, draw_scene
from diagnosis.grid.motion import Motion, measure_motion
from diagnosis.grid.offset import ObjectOffset
from diagnosis.grid.verdict import with_labels
from tests.contract.own_detector import TwoLevels, TwoLevelsHead
from tests.diagnosis.grid.test_grid import reading

CHANGES = {
    "as made": (lambda level: level, None, ""),
    "rolled by a row": (lambda level: level.roll(1, 1), "off_by_one_cell", "where its boxes answer"),
    "rolled by a column": (lambda level: level.roll(-1, 2), "off_by_one_cell", "where its boxes answer"),
    "columns mirrored": (lambda level: level.flip(2), "scrambled_layout", "columns run the wrong way"),
    "rows mirrored": (lambda level: level.flip(1), "scrambled_layout", "rows run the wrong way"),
    "transposed": (lambda level: level.transpose(1, 2).reshape(level.shape), "scrambled_layout", "Check reshapes"),
    "cells and channels mixed": (lambda level: level.flatten(1).T.reshape(level.shape), "scrambled_layout", "reshapes"),
}


class Boxed(TwoLevels):
    """A foreign detector that hands its box outputs of the finest level over otherwise than they were made."""

    def __init__(self, change: Any):
        super().__init__()
        self.change = change

    def describe_head(self):
        return BoxedHead(self)


class BoxedHead(TwoLevelsHead):
    def passes(self, source, conf, iou, imgsz):
        for run in super().passes(source, conf, iou, imgsz):
            levels = list(self.pyramid(run).split(run.box_logits))
            net: Any = self.net
            levels[0] = net.change(levels[0])
            raw = torch.cat([level.flatten(1) for level in levels], 1)
            yield run.evolve(box_logits=raw, boxes=raw)


@pytest.mark.parametrize("name", CHANGES)
def test_box_outputs_in_other_cells_are_named_without_labels(name):
    change, code, words = CHANGES[name]
    torch.manual_seed(3)
    net: Any = Boxed(change)
    with torch.no_grad():
        net.stem.weight.mul_(4)
        for conv in (*net.cls, *net.box):
            nn.init.normal_(conv.weight)
    report = diagnosis.check_grid(net, step=64)
    assert [(finding.code, finding.level) for finding in report] == ([] if code is None else [(code, 0)]), str(report)
    assert all(words in finding.message for finding in report)


def test_a_roll_of_the_boxes_within_a_network_is_measured_exactly():
    model = YOLO(demo_weights())
    network: Any = anatomy.describe(model).running
    box = network.model[-1].cv2[1]
    handle = box.register_forward_hook(lambda _, inputs, output: output.roll(1, 2))
    report = diagnosis.check_grid(model)
    handle.remove()
    assert [(finding.code, finding.level) for finding in report.errors] == [("off_by_one_cell", 1)], str(report)
    measured: Any = report.levels[1].box_outputs
    assert measured.beside == pytest.approx((0, 1), abs=0.1)


def test_labels_that_are_off_are_blamed_and_not_the_decoder():
    scenes = [draw_scene(seed) for seed in range(4)]
    data = [(scene.image[..., ::-1].copy(), scene.boxes + 6, scene.labels) for scene in scenes]
    report = diagnosis.check_grid(YOLO(demo_weights()), data, sight=False)
    assert [(finding.code, finding.severity) for finding in report] == [("shifted", "warning")], str(report)
    assert report.findings[0].evidence["px"] == pytest.approx((-6, -6), abs=1)


def test_labels_are_not_blamed_where_the_detector_has_a_fault():
    objects = ObjectOffset(np.full((9, 2), 0.5))
    level = reading(objects=objects)
    assert [finding.code for finding in with_labels([level], [])] == ["shifted"]
    faint = Motion(3, 5, 0.5, 0.0)
    fault = diagnosis.Finding("scrambled_layout", "error", 0, "")
    assert with_labels([reading(objects=objects, right=faint)], [fault]) == [fault]


@pytest.mark.parametrize("part", ["boxes", "both"])
def test_rows_that_move_apart_from_the_others_are_scrambled(part):
    def turned(level):
        out = level.clone()
        out[:, 1::2] = level[:, 1::2].flip(2)
        return out

    torch.manual_seed(3)
    net: Any = Boxed(turned) if part == "boxes" else Turned(turned)
    with torch.no_grad():
        net.stem.weight.mul_(4)
        for conv in (*net.cls, *net.box):
            nn.init.normal_(conv.weight)
    report = diagnosis.check_grid(net.eval(), step=64)
    assert [(finding.code, finding.level) for finding in report.errors] == [("scrambled_layout", 0)], str(report)
    assert "do not move with the others" in report.findings[0].message


class Turned(Boxed):
    """The same, of classes and boxes alike."""

    def describe_head(self):
        return TurnedHead(self)


class TurnedHead(BoxedHead):
    def passes(self, source, conf, iou, imgsz):
        for run in super().passes(source, conf, iou, imgsz):
            net: Any = self.net
            yield run.evolve(logits=(net.change(run.logits[0]), *run.logits[1:]))


def test_half_of_the_lines_of_an_answer_are_torn():
    rng = np.random.default_rng(0)
    before = np.zeros((3, 8, 12))
    before[:, 2:6, 1:5] = rng.normal(size=(3, 4, 4))
    after = np.roll(before, 4, 2)
    assert measure_motion(before, after, (0, 4)).torn == 0
    after[:, 1::2] = np.roll(before, -1, 2)[:, 1::2]
    assert 0.2 < measure_motion(before, after, (0, 4)).torn < 0.8
