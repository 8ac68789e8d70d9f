"""Levels, classes, anchors, numbers and boxes as callers give them: an effect, or an error that says the rule."""

import copy
from collections import deque
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn
from ultralytics.nn.modules.head import Detect

import anatomy
import diagnosis
import surgery
from anatomy import Level, select_classes, select_level, select_levels
from anatomy.arguments import finite_number, share, whole_number, whole_numbers

LEVELS = tuple(Level(i, f"P{i + 3}", 8.0 * 2**i, 4, {"one2many": f"cls.{i}"}) for i in range(3))
NAMES = {0: "cat", 1: "dog", 2: "bird"}
WHOLE = [2, np.int8(2), np.uint64(2), np.array(2), torch.tensor(2), torch.tensor(2, dtype=torch.uint8)]
NOT_WHOLE = [
    None,
    True,
    np.True_,
    np.array(True),
    torch.tensor(True),
    2.0,
    float("nan"),
    np.float32(2),
    np.array(2.0),
    torch.tensor(2.0),
    np.array([2]),
    torch.tensor([2]),
    [2],
    "2",
    b"2",
    {2: 2},
    2 + 0j,
    Fraction(2),
    object(),
]


@pytest.mark.parametrize("value", WHOLE, ids=repr)
def test_whole_numbers_of_every_library_are_one(value):
    assert whole_number(value, "n") == 2 and type(whole_number(value, "n")) is int
    assert select_level(LEVELS, value) == 2 and select_levels(LEVELS, value) == (2,)
    assert select_classes(NAMES, value) == (2,)


@pytest.mark.parametrize("value", NOT_WHOLE, ids=lambda value: type(value).__name__)
def test_what_is_no_whole_number_is_refused_by_name(value):
    with pytest.raises(TypeError, match=r"n must be a whole number, but .* \(\w+\) was given"):
        whole_number(value, "n")


@pytest.mark.parametrize(
    "several",
    [[0, 2], (2, 0), {0, 2}, deque([0, 2]), np.array([2, 0]), torch.tensor([0, 2]), iter([2, 0]), range(0, 3, 2)],
)
def test_several_levels_or_classes_come_in_any_sequence(several):
    several = list(several) if hasattr(several, "__next__") else several
    assert select_levels(LEVELS, several) == (0, 2) == select_classes(NAMES, several)
    assert select_levels(LEVELS, (entry for entry in several)) == (0, 2)
    assert select_classes(NAMES, (entry for entry in several)) == (0, 2)


@pytest.mark.parametrize(
    "value",
    [None, b"P3", bytearray(b"P3"), {0: 1}, [[0], [1]], np.eye(2, dtype=int), torch.eye(2).int(), [None], [True], 1.5],
    ids=repr,
)
def test_levels_and_classes_of_no_meaning_are_type_errors(value):
    with pytest.raises(TypeError, match=r"A level given by index must be a whole number, but"):
        select_levels(LEVELS, value)
    with pytest.raises(TypeError, match=r"A class given by id must be a whole number, but"):
        select_classes(NAMES, value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1, "Level -1 is out of range"),
        (10**30, "is out of range"),
        ("0", "Level '0' does not exist"),
        ("", "Level '' does not exist"),
        ([], "an empty sequence was given"),
        (np.array([], dtype=int), "an empty sequence was given"),
    ],
)
def test_levels_that_are_not_there_are_said(value, message):
    with pytest.raises(anatomy.SelectionError, match=message):
        select_levels(LEVELS, value)
    assert select_levels(LEVELS, [" p4 ", 0]) == (0, 1) and select_levels(LEVELS, ["All"]) == (0, 1, 2)


def test_a_name_that_two_levels_bear_is_ambiguous():
    twice = (LEVELS[0], Level(1, "P3", 8.0, 4, {"one2many": "cls.1"}), LEVELS[2])
    with pytest.raises(
        anatomy.SelectionError, match=r"'p3' is ambiguous: it fits the levels \[0, 1\]\. Give the index"
    ):
        select_levels(twice, "p3")
    assert select_levels(twice, [0, 1]) == (0, 1)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), np.array(0.5), torch.tensor(0.5), Fraction(1, 2)], ids=repr)
def test_finite_numbers_of_every_library_are_one(value):
    assert finite_number(value, "x") == 0.5 == share(value, "x")


@pytest.mark.parametrize("value", [None, True, "0.5", [0.5], 1j, np.array([0.5]), torch.tensor(True)], ids=repr)
def test_what_is_no_number_is_a_type_error(value):
    with pytest.raises(TypeError, match="x must be a number, but"):
        finite_number(value, "x")


@pytest.mark.parametrize("value", [float("nan"), -float("inf"), 10**400, torch.tensor(float("nan"))], ids=str)
def test_what_is_not_finite_is_a_value_error(value):
    with pytest.raises(ValueError, match=r"x must be finite, but .* was given\. Try 1\."):
        finite_number(value, "x", "Try 1.")


@pytest.fixture(scope="module")
def traced(build, picture):
    """A function that gives a trace of the picture, which is made once."""
    trace = anatomy.trace(build("yolov8n", picture), picture, imgsz=192)
    return lambda: trace


@pytest.mark.parametrize(
    "value", [None, "12", b"12", [1.0], {1}, {1: 1}, [[1]], [[1], [1, 2]], [True], [None], [float("nan")]], ids=repr
)
def test_anchors_are_whole_numbers(traced, value):
    with pytest.raises(TypeError, match="Anchors must be whole numbers, one or a sequence, but"):
        traced().decode(value)
    with pytest.raises(TypeError, match="must be whole numbers"):
        whole_numbers(value, "They")


def test_no_anchor_is_no_box_and_a_tensor_of_anchors_is_taken(traced):
    trace = traced()
    assert trace.decode([]).shape == (0, 4)
    assert (trace.decode(torch.tensor([3, 5])) == trace.decode([3, 5])).all()
    assert (trace.decode(3) == trace.decode([3])).all()
    with pytest.raises(ValueError, match=r"Anchors run from 0 to \d+ here, but -1 to -1 came"):
        trace.decode(-1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: t.distribution(1.5), TypeError, "A detection, given by its index, must be a whole number, but 1.5"),
        (lambda t: t.distribution(None), TypeError, "whole number, but None"),
        (lambda t: t.distribution(True), TypeError, "whole number, but True"),
        (lambda t: t.distribution(float("nan")), TypeError, "whole number, but nan"),
        (lambda t: t.distribution(-1), IndexError, "Detection -1 does not exist"),
        (lambda t: t.distribution(10**9), IndexError, "does not exist: this image has"),
        (lambda t: t.anchor(-1, 0, 0), ValueError, "Level -1 is out of range"),
        (lambda t: t.anchor(0, 0.5, 0), TypeError, "row must be a whole number, but 0.5"),
        (lambda t: t.anchor(0, 0, None), TypeError, "col must be a whole number, but None"),
        (lambda t: t.anchor(0, -1, 0), ValueError, r"Cell \(-1, 0\) is outside"),
        (lambda t: t.silenced(0, None), TypeError, "A class given by id must be a whole number, but None"),
        (lambda t: t.targets([[0, 0, 9, 9]], [999]), ValueError, "Class 999 is out of range"),
        (lambda t: t.targets([[0, 0, 9, 9]], [0, 1]), ValueError, "Each box needs one label, but 1 boxes and 2"),
        (
            lambda t: diagnosis.level_evidence(t, 0.0),
            TypeError,
            r"Detections are chosen by an index, .* but 0\.0 \(float\) was given",
        ),
        (lambda t: diagnosis.level_evidence(t, iou="0.5"), TypeError, "iou must be a number"),
        (lambda t: diagnosis.subject(t, 0.5), TypeError, "Detection, given by its index, must be a whole number"),
        (lambda t: diagnosis.subject(t, {"anchors": 3}), ValueError, r"A cell is given as \{'anchor': n\}"),
        (lambda t: diagnosis.subject(t, {"anchor": 3.5}), TypeError, "An anchor must be a whole number"),
        (lambda t: diagnosis.missed(t, [], [], iou=float("nan")), ValueError, "iou must be finite"),
    ],
)
def test_questions_to_a_trace_are_checked_at_the_door(traced, call, error, message):
    with pytest.raises(error, match=message):
        call(traced())


def test_a_cell_of_a_trace_is_asked_for_by_the_name_of_its_level_too(traced):
    trace = traced()
    assert trace.anchor("P4", 1, 2) == trace.anchor(np.array(1), torch.tensor(1), np.int32(2))
    assert torch.equal(trace.distribution(torch.tensor(0)), trace.distribution(0))


BOX = [[1.0, 1.0, 30.0, 30.0]]


@pytest.mark.parametrize(
    ("boxes", "labels", "error", "message"),
    [
        (None, [0], ValueError, r"Boxes must be \(n, 4\) numbers.*but None"),
        ("1 1 30 30", [0], ValueError, r"Boxes must be \(n, 4\) numbers"),
        ({0: BOX}, [0], ValueError, r"Boxes must be \(n, 4\) numbers"),
        ({(1, 1, 30, 30)}, [0], ValueError, r"Boxes must be \(n, 4\) numbers"),
        ([[1, 1, 30, 30], [1, 2]], [0], ValueError, r"Boxes must be \(n, 4\) numbers"),
        ([[True, True, False, False]], [0], ValueError, r"Boxes must be \(n, 4\) numbers"),
        ([[1j, 1, 30, 30]], [0], ValueError, r"Boxes must be \(n, 4\) numbers"),
        ([["1", "1", "30", "30"]], [0], ValueError, r"Boxes must be \(n, 4\) numbers"),
        ((box for box in BOX), [0], ValueError, r"Boxes must be \(n, 4\) numbers"),
        ([1, 1, 30, 30], [0], ValueError, r"the shape is \(4,\)"),
        ([[1, 1, float("nan"), 30]], [0], ValueError, "Boxes must be finite, but box 0 is not"),
        (BOX, None, TypeError, "Boxes need labels, one each"),
        (BOX, [None], TypeError, "A class given by id must be a whole number, but None"),
        (BOX, {0}, TypeError, "Labels must be class ids or names, one for each box in order"),
        (BOX, {0: 1}, TypeError, "Labels must be class ids or names"),
        (BOX, b"0", TypeError, r"Labels must be class ids or names.*but b'0'"),
        (BOX, [0.0], TypeError, "must be a whole number, but 0.0"),
        (BOX, [True], TypeError, "must be a whole number, but True"),
        (BOX, [-1], ValueError, "Class -1 is out of range"),
        (BOX, [], ValueError, "1 boxes and 0 labels were given"),
    ],
)
def test_objects_are_checked_at_the_door(traced, boxes, labels, error, message):
    for call in (diagnosis.missed, diagnosis.assign_trace):
        with pytest.raises(error, match=message):
            call(traced(), boxes, labels)


@pytest.mark.parametrize(
    "labels",
    [[0], 0, np.array([0]), np.array(0), torch.tensor([[0]]), iter([0]), (0,)],
    ids=lambda labels: type(labels).__name__,
)
def test_objects_come_from_every_library(traced, labels):
    assert diagnosis.missed(traced(), torch.tensor(BOX), labels).labels.tolist() == [0]


def head_of(build, picture):
    model = copy.deepcopy(build("yolov8n", picture)).model
    return model, model.model[-1]


def test_a_head_without_strides_is_refused(build, picture):
    model, head = head_of(build, picture)
    for strides in ([0.0, 0.0, 0.0], [8.0, float("nan"), 32.0], [8.0, 16.0]):
        head.stride = torch.tensor(strides)
        with pytest.raises(
            TypeError, match=r"strides of a head must be 3 positive numbers of px, but those of this Detect"
        ):
            anatomy.levels(model)


class OneConv(Detect):
    """A head that makes boxes and classes with one convolution a level, as YOLOv5's own does."""

    def __init__(self, nc, ch):
        super().__init__(nc, ch=ch)
        self.m = nn.ModuleList(nn.Conv2d(c, nc + 4 * self.reg_max, 1) for c in ch)
        del self.cv2, self.cv3


def test_a_head_with_one_convolution_a_level_is_refused(build, picture):
    model, head = head_of(build, picture)
    other = OneConv(80, (64, 128, 256))
    other.stride, other.f, other.i = head.stride, head.f, head.i
    model.model[-1] = other
    with pytest.raises(TypeError, match=r"OneConv has neither cv3 nor one2one_cv3: there are no class convolutions"):
        anatomy.levels(model)


def test_class_stacks_that_are_bare_convolutions_or_too_few_are_refused(build, picture):
    model, head = head_of(build, picture)
    whole = head.cv3
    head.cv3 = nn.ModuleList(nn.Conv2d(8, 80, 1) for _ in range(3))
    with pytest.raises(TypeError, match=r"cv3\.0 must be a Sequential that ends in a Conv2d.*but is Conv2d"):
        anatomy.levels(model)
    head.cv3 = whole[:2]
    with pytest.raises(TypeError, match=r"has 3 levels, so cv3 must hold 3 stacks of convolutions, but holds 2"):
        anatomy.levels(model)


def test_a_head_alone_and_names_of_another_number_are_refused(build, picture):
    model, head = head_of(build, picture)
    with pytest.raises(TypeError, match=r"Detect is a head alone\. Give the network that it belongs to"):
        anatomy.levels(head)
    model.names = {0: "cat", 1: "dog"}
    with pytest.raises(TypeError, match=r"The head has 80 classes, numbered from 0, but the network's `names` are 2"):
        anatomy.levels(model)


def test_levels_keep_the_order_of_the_head_and_names_that_occur_twice_need_an_index(build, picture):
    model, head = head_of(build, picture)
    head.stride = torch.tensor([32.0, 16.0, 8.0])
    assert [(level.index, level.name) for level in anatomy.levels(model)] == [(0, "P5"), (1, "P4"), (2, "P3")]
    head.stride = torch.tensor([8.0, 8.0, 32.0])
    before = copy.deepcopy(head.cv3.state_dict())
    with pytest.raises(ValueError, match=r"'P3' is ambiguous: it fits the levels \[0, 1\]"):
        surgery.mute_level(model, "P3")
    assert all(torch.equal(value, before[name]) for name, value in head.cv3.state_dict().items())
    surgery.mute_level(model, 1)
    assert not head.cv3[1][-1].weight.any() and head.cv3[0][-1].weight.any()
