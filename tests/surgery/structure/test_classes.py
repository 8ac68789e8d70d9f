"""Classes kept, renamed, moved, merged and added: logits by hand, boxes untouched, names everywhere, undone exactly."""

from functools import cache
from itertools import product

import pytest
import torch

import anatomy
import surgery
from tests.surgery.structure.heads import NAMES, assert_same, head_of, looked_at, portrait

WITH_ALL = ("yolov8n", "yolo26n-seg")  # the heads that every edit is tried on
WITH_SOME = ("yolo26n", "yolov8n-obb", "yolo26n-pose")  # and those of "keep" and "merge"

# what is done; the classes afterwards; of each, the classes of before whose highest logit it has
EDITS = {
    "keep": (
        lambda model: surgery.keep_classes(model, ["cone", 1, "star"]),
        ["cone", "box", "star"],
        [[4], [1], [2]],
    ),
    "keep exactly": (lambda model: surgery.keep_classes(model, "ring", exact=True), ["ring"], [[3]]),
    "rename": (
        lambda model: surgery.rename_classes(model, {"ball": "sphere", 5: "die"}),
        ["sphere", "box", "star", "ring", "cone", "die"],
        [[0], [1], [2], [3], [4], [5]],
    ),
    "exchange names": (
        lambda model: surgery.rename_classes(model, {"ball": "box", "box": "ball"}),
        ["box", "ball", "star", "ring", "cone", "cube"],
        [[0], [1], [2], [3], [4], [5]],
    ),
    "permute": (
        lambda model: surgery.permute_classes(model, "all", {0: 2, 2: 0}, names=True),
        ["star", "box", "ball", "ring", "cone", "cube"],
        [[2], [1], [0], [3], [4], [5]],
    ),
    "merge": (
        lambda model: surgery.merge_classes(model, {"solid": ["cube", "ball", "cone"], "flat": [2, 3]}),
        ["solid", "box", "flat"],
        [[0, 4, 5], [1], [2, 3]],
    ),
    "merge, the first": (
        lambda model: surgery.merge_classes(model, {"solid": ["cube", "ball"]}, how="first"),
        ["solid", "box", "star", "ring", "cone"],
        [[5], [1], [2], [3], [4]],
    ),
    "add": (
        lambda model: surgery.add_class(model, "disc", from_="ball"),
        [*NAMES, "disc"],
        [[0], [1], [2], [3], [4], [5], [0]],
    ),
}


TRIED = [(kind, name) for kind in WITH_ALL for name in EDITS] + list(product(WITH_SOME, ("keep", "merge")))


@pytest.mark.parametrize(("kind", "name"), TRIED)
def test_the_classes_are_others_and_nothing_else_is(kind, name):
    model, before, trace = seen(kind)
    change, names, members = EDITS[name]
    edit = change(model)
    after = looked_at(model)

    net, wanted = model.model, dict(enumerate(names))
    assert net.names == model.names == after.names == after.result.names == wanted
    assert (net.yaml["nc"], net.model[-1].nc, after.logits[0].shape[0]) == (len(names),) * 3
    assert net.model[-1].no == len(names) + 4 * after.reg_max
    for old, new in zip(trace.logits, after.logits, strict=True):
        by_hand = torch.stack([old[ids].amax(0) for ids in members])
        torch.testing.assert_close(new, by_hand, rtol=0, atol=5e-5)
    assert torch.equal(after.run.boxes, trace.run.boxes)
    for old, new in zip(extras(trace), extras(after), strict=True):
        assert torch.equal(old, new)

    again = trace.replay()
    assert again.names == again.result.names == wanted
    assert all(torch.equal(a, b) for a, b in zip(again.logits, after.logits, strict=True))
    assert again.detections.anchor.tolist() == after.detections.anchor.tolist()
    certificate = surgery.certify(model)
    assert certificate.in_step and not certificate.untouched
    assert [check.remade for check in certificate.rows] == [()] * len(certificate.rows)

    assert surgery.history(model) == (edit,)
    assert surgery.undo(model) == (edit,)
    assert_same(before, portrait(model))
    assert surgery.certify(model).in_step and surgery.certify(model).untouched
    assert all(torch.equal(a, b) for a, b in zip(looked_at(model).logits, trace.logits, strict=True))


@cache
def seen(kind: str):
    """A model, its portrait, and a trace of it."""
    model = head_of(kind)
    return model, portrait(model), looked_at(model)


def extras(trace) -> list[torch.Tensor]:
    """What a head makes beside boxes and classes: coefficients of masks, key points, angles; and prototypes."""
    ending = trace.run.private
    return [ending.extras] + ([] if ending.proto is None else [ending.proto])


def test_the_mean_row_gives_the_mean_of_the_logits():
    model = head_of("yolov8n")
    before = looked_at(model)
    with surgery.scratch(model):
        surgery.merge_classes(model, {"solid": ["ball", "cube"]}, how="mean")
        after = looked_at(model)
        assert anatomy.describe(model).rows_per_class == 1
    for old, new in zip(before.logits, after.logits, strict=True):
        torch.testing.assert_close(new[0], (old[0] + old[5]) / 2, rtol=0, atol=5e-5)


def test_a_merged_score_is_the_highest_of_its_rows_bit_for_bit():
    model = head_of("yolo26n")
    with surgery.scratch(model):
        surgery.merge_classes(model, {"solid": ["cube", "ball", "cone"], "flat": ["star", "ring"]})
        trace, head = looked_at(model), anatomy.describe(model)
        assert head.rows_per_class == 3
        for level, features in enumerate(trace.run.features):
            conv = head.class_conv(level, trace.branch)
            with torch.inference_mode():
                rows = torch.nn.functional.conv2d(features, conv.weight, conv.bias)[0]
            assert torch.equal(trace.logits[level], rows.unflatten(0, (3, 3)).amax(1))


def test_kept_logits_are_bit_equal_of_twelve_classes_and_of_one_where_asked(build, picture):
    model = build("yolov8n", picture)  # 80 classes, towers as wide as published
    before = anatomy.trace(model, picture, imgsz=192)
    dozen = [70, 3, 14, *range(20, 29)]
    for classes, exact in ((dozen, False), ([14], True), ([2, 5, 7], True)):
        with surgery.scratch(model):
            surgery.keep_classes(model, classes, exact=exact)
            after = anatomy.trace(model, picture, imgsz=192)
        assert all(torch.equal(old[classes], new) for old, new in zip(before.logits, after.logits, strict=True))


def test_rows_that_are_needed_no_more_go():
    model = head_of("yolov8n")
    with surgery.scratch(model):
        surgery.merge_classes(model, {"solid": ["cube", "ball", "cone"]})
        surgery.merge_classes(model, {"thing": ["solid", "box"]})
        assert anatomy.describe(model).rows_per_class == 4
        surgery.keep_classes(model, ["ring", "star"])
        head = anatomy.describe(model)
        assert head.rows_per_class == 1
        assert isinstance(model.model.model[-1].cv3[0][-1], torch.nn.Conv2d)
        assert [head.levels[0].path.rpartition(".")[2], *head.names.values()] == ["2", "ring", "star"]
    assert tuple(model.names.values()) == NAMES


def test_what_a_training_needs_has_the_number_of_classes():
    model = head_of("yolo26n-seg")
    net, semantic = model.model, model.model.model[-1].proto.semseg[-1]
    net.class_weights = torch.arange(6.0)
    net.criterion = old = net.init_criterion() if hasattr(net.args, "box") else object()
    rows = semantic.weight.detach().clone()
    surgery.merge_classes(model, {"flat": ["star", "ring"]})
    assert net.criterion is None
    assert net.class_weights.tolist() == [0, 1, 2.5, 4, 5]
    torch.testing.assert_close(semantic.weight[2], rows[2:4].mean(0))
    assert torch.equal(semantic.weight[3], rows[4]) and semantic.out_channels == 5
    surgery.undo(model)
    assert net.criterion is old and torch.equal(semantic.weight, rows) and semantic.out_channels == 6
    del net.class_weights, net.criterion


def test_targets_are_made_for_the_classes_that_there_are():
    model = head_of("yolov8n")
    with surgery.scratch(model):
        surgery.keep_classes(model, ["ring", "ball"])
        found = looked_at(model).targets([[10, 10, 60, 50]], ["ball"])
    assert found.object.max() == 0 and torch.isfinite(found.losses["cls"]).all()


def test_traces_before_and_after_are_compared_by_the_names_of_classes():
    model = head_of("yolov8n")
    before = looked_at(model)
    with surgery.scratch(model):
        surgery.permute_classes(model, "all", [5, 4, 3, 2, 1, 0], names=True)
        found = anatomy.compare(before, before.replay())
    assert "same" in found.status and {"class", "gone", "new"}.isdisjoint(found.status)
    assert (found.classes.sum(1) == 5).all()
    assert set(found.class_shift.tolist()) == {-1}
