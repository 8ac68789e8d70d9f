"""The last value that is allowed and the first that is not, at every door that has a bound."""

import numpy as np
import pytest

import anatomy
import surgery
from anatomy.arguments import share
from anatomy.families.ultralytics.arguments import KNOWN, NOT_ASKED, check_predict_args
from surgery.unpacking import _edit
from tests.corner_net import CornerNet
from tests.torchvision_nets import tiny

IMAGE = np.random.default_rng(3).integers(0, 256, (64, 96, 3), np.uint8)
NAMES = {0: "cat", 1: "dog"}


def test_shares_are_from_0_to_1():
    assert [share(value, "x") for value in (0, 1, 0.5)] == [0, 1, 0.5]
    for value in (-1e-9, 1 + 1e-9):
        with pytest.raises(ValueError, match="x must be from 0 to 1, but"):
            share(value, "x")


@pytest.mark.parametrize("size", [1, None, (1, 2), [64, 1], np.int64(1)])
def test_sizes_are_positive(size):
    assert check_predict_args({"imgsz": size}, NAMES) == {"imgsz": size}


@pytest.mark.parametrize("size", [0, -1, (64, 0), [0, 64]])
def test_sizes_below_one_are_refused(size):
    with pytest.raises(ValueError, match="imgsz must be a positive whole number of px, one or"):
        check_predict_args({"imgsz": size}, NAMES)


def test_arguments_come_back_checked_and_the_others_as_they_are():
    given = {"conf": 1, "iou": np.float32(0.5), "classes": ("dog", 0), "augment": False, "device": "cpu", "max_det": 7}
    made = check_predict_args(given, NAMES)
    assert made == {**given, "iou": 0.5, "classes": [0, 1]} and type(made["conf"]) is type(made["iou"]) is float
    assert check_predict_args({"classes": None}, NAMES) == {"classes": None} and check_predict_args({}, NAMES) == {}
    for name in NOT_ASKED:
        with pytest.raises(TypeError, match=f"^{name}= is no argument of a trace: .* Leave it out\\.$"):
            check_predict_args({name: None}, NAMES)
    assert {"conf", "imgsz", "half", "save_dir"} <= KNOWN and not KNOWN & set(NOT_ASKED)
    with pytest.raises(TypeError, match=r"has no argument 'max_dets'\. Did you mean max_det"):
        check_predict_args({"max_dets": 5}, NAMES)
    with pytest.raises(TypeError, match=r"has no argument 'qqqqqq'\. The least confidence is conf"):
        check_predict_args({"qqqqqq": 5}, NAMES)
    for name in ("augment", "embed", "visualize", "compile"):
        with pytest.raises(ValueError, match=f"^{name}=1 cannot be traced: .*Leave it out, or use"):
            check_predict_args({name: 1}, NAMES)


def test_one_px_is_a_size_for_torchvision_too():
    net = tiny("fcos")
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):  # of a normalization, and not ours
        anatomy.trace(net, IMAGE[:1, :1], imgsz=1)
    with pytest.raises(ValueError, match="imgsz must be a positive number of px, or None for the model's own, not 0"):
        anatomy.trace(net, IMAGE, imgsz=0)


def test_overlaps_of_a_comparison_are_above_0_and_at_most_1():
    trace = anatomy.trace(CornerNet(), IMAGE)
    assert anatomy.compare(trace, trace, by="iou", iou=1.0).threshold == 1.0
    assert anatomy.compare(trace, trace, by="iou", iou=1e-9).threshold == 1e-9
    for iou in (0, 1 + 1e-9):
        with pytest.raises(ValueError, match="iou must be above 0 and at most 1, but"):
            anatomy.compare(trace, trace, iou=iou)


def test_detections_cells_and_levels_of_a_trace():
    trace = anatomy.trace(CornerNet(), IMAGE)
    count = len(trace.detections)
    assert trace.distribution(count - 1).shape == (4, 6) and trace.distribution(0).shape == (4, 6)
    with pytest.raises(IndexError, match=f"Detection {count} does not exist: this image has {count}"):
        trace.distribution(count)
    assert trace.anchor(1, 3, 5) in (2 * 8 * 12 + 2 * 23, 2 * 8 * 12 + 2 * 23 + 1)
    for level in (2, -1):
        with pytest.raises(
            anatomy.SelectionError, match=rf"Level {level} is out of range\. Levels of this head: 0 \(P3"
        ):
            trace.anchor(level, 0, 0)
    best = trace.run.logits[1][:, 3, 5].view(2, -1).amax(1).argmax()
    assert trace.anchor("P4", 3, 5) == 2 * 8 * 12 + 2 * 23 + int(best)


def test_as_many_edits_as_there_are_can_be_undone():
    net = CornerNet()
    surgery.shift_classes(net, 0, 1)
    surgery.shift_classes(net, 1, 2)
    assert surgery.undo(net, 0) == ()
    with pytest.raises(ValueError, match=r"^2 edit\(s\) are recorded, so 0 to 2 can be undone, but 3 was asked\.$"):
        surgery.undo(net, 3)
    assert [edit.levels for edit in surgery.undo(net, 2)] == [(1,), (0,)]
    surgery.shift_classes(net, 0, 1)
    surgery.shift_classes(net, 1, 2)
    assert [edit.levels for edit in surgery.undo(net)] == [(1,)] and len(surgery.history(net)) == 1


def test_levels_and_classes_that_a_record_may_name():
    head = anatomy.describe(CornerNet(classes=3))

    def entry(levels, classes):
        return {"operation": "zero_classes", "levels": levels, "classes": classes, "parameters": {"bias": "keep"}}

    assert _edit(head, entry([0, 1], [0, 2]), "it").classes == (0, 2)
    for levels, classes, told in (
        ([2], [0], "level 2, but there are 0 to 1"),
        ([-1], [0], "level -1, but there are 0 to 1"),
        ([0], [3], "class 3, but there are 0 to 2"),
        ([0], [0, -1], "class -1, but there are 0 to 2"),
    ):
        with pytest.raises(ValueError, match=f"^it names the {told}"):
            _edit(head, entry(levels, classes), "it")
