"""Edits of rows on a head whose classes several rows feed: of a class, all its rows; of the rest, none."""

import copy
import pickle

import pytest
import torch

import anatomy
import surgery
from anatomy.head.levels import SILENT_LOGIT
from tests.surgery.structure.heads import assert_same, head_of, looked_at, portrait

GROUPS = {"solid": ["cube", "ball", "cone"]}  # solid, box, star, ring


@pytest.fixture
def merged():
    """A model with a merged class, and a trace of it; it is whole again afterwards."""
    model = head_of("yolov8n")
    with surgery.scratch(model):
        surgery.merge_classes(model, GROUPS)
        yield model, looked_at(model)


EDITS = {
    "shift": (lambda model: surgery.shift_classes(model, "all", 1), lambda old: old.roll(1, 0)),
    "swap": (lambda model: surgery.swap_classes(model, "all", "solid", "ring"), lambda old: old[[3, 1, 2, 0]]),
    "permute": (lambda model: surgery.permute_classes(model, "all", [2, 0, 1, 3]), lambda old: old[[2, 0, 1, 3]]),
    "scale": (lambda model: surgery.scale_classes(model, "all", "solid", 0.5), lambda old: multiplied(old, 0, 0.5)),
    "bias": (lambda model: surgery.bias_classes(model, "all", "solid", 2.0), lambda old: added(old, 0, 2.0)),
    "silence": (lambda model: surgery.zero_classes(model, "all", "solid"), lambda old: filled(old, 0)),
}


def multiplied(old, index, factor):
    new = old.clone()
    new[index] *= factor
    return new


def added(old, index, delta):
    new = old.clone()
    new[index] += delta
    return new


def filled(old, index):
    new = old.clone()
    new[index] = SILENT_LOGIT
    return new


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_of_a_class_goes_to_all_of_its_rows(merged, name):
    model, before = merged
    change, by_hand = EDITS[name]
    change(model)
    after = looked_at(model)
    for old, new in zip(before.logits, after.logits, strict=True):
        torch.testing.assert_close(new, by_hand(old), rtol=0, atol=5e-5)
    again = before.replay()
    assert all(torch.equal(a, b) for a, b in zip(again.logits, after.logits, strict=True))
    assert surgery.certify(model).in_step


def test_a_trace_silences_a_merged_class_as_an_edit_does(merged):
    model, before = merged
    silent = before.silenced("P4", "solid")
    surgery.zero_classes(model, "P4", "solid")
    assert all(torch.equal(a, b) for a, b in zip(silent.logits, before.replay().logits, strict=True))
    assert silent.detections.anchor.tolist() == before.replay().detections.anchor.tolist()
    assert all(torch.equal(a, b) for a, b in zip(silent.replay().logits, before.replay().logits, strict=True))


def test_a_negative_factor_is_refused(merged):
    model, _ = merged
    before = portrait(model)
    with pytest.raises(ValueError, match=r"scale_classes by a negative factor: a merged class's logit is the highest"):
        surgery.scale_classes(model, "P3", "solid", -1.0)
    assert_same(before, portrait(model))


def test_a_training_would_begin_at_the_mean_of_the_rows_as_they_are(merged):
    model, _ = merged
    surgery.bias_classes(model, "P3", "star", 3.0)
    end = model.model.model[-1].cv3[0][-1]
    rows = end[0].bias.detach().view(4, 3)
    assert (end.in_channels, end.out_channels) == (end[0].in_channels, 4)
    torch.testing.assert_close(end.bias, rows.mean(1))
    assert end.bias[2] == rows[2, 0]  # of equal rows
    assert not end.weight.requires_grad and not end.bias.requires_grad  # nothing reads them before it


def test_the_certificate_tells_moved_rows_from_changed_ones(merged):
    model, _ = merged
    surgery.bias_classes(model, "P4", "solid", 1.0)
    of_p3, of_p4, _ = surgery.certify(model).rows
    assert (of_p3.changed, of_p3.equal, of_p3.moved) == ((0,), (1, 2, 3), {0: (5, 0, 4)})
    assert (of_p4.changed, of_p4.equal, of_p4.moved, of_p4.remade) == ((0,), (1, 2, 3), {}, (0,))
    told = str(surgery.certify(model))
    assert "none changed, 1 moved whole (solid from 5 cube, 0 ball, 4 cone), 3 equal" in told
    assert "1 changed (solid), 3 equal" in told


def test_a_copy_is_undone_without_the_original(merged):
    model, before = merged
    copied = copy.deepcopy(model.model)
    surgery.undo(copied)
    assert len(copied.names) == 6 and len(model.names) == 4
    ours = {id(value) for value in model.model.parameters()}
    assert not ours & {id(value) for value in copied.parameters()}
    assert all(torch.equal(a, b) for a, b in zip(looked_at(model).logits, before.logits, strict=True))
    whole = looked_at(copied)
    surgery.undo(model)
    assert all(torch.equal(a, b) for a, b in zip(looked_at(model).logits, whole.logits, strict=True))


def test_a_trace_travels_with_the_classes_that_it_saw(merged):
    _, before = merged
    arrived = pickle.loads(pickle.dumps(before))
    assert arrived.names == before.names and arrived.names[0] == "solid"
    assert arrived.detections.class_name == before.detections.class_name


def test_half_precision_on_the_way_is_no_obstacle():
    net = copy.deepcopy(head_of("yolov8n").model)
    surgery.keep_classes(net, ["star", "ring"])
    net.half()
    surgery.undo(net)
    conv = anatomy.describe(net).class_conv(0, "one2many")
    assert conv.weight.dtype == torch.float16 and len(conv.weight) == 6
