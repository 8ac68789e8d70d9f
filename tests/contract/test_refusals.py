"""Law 9 and what the rows refuse: errors come at the door, say what the rule is, and nothing has changed."""

import numpy as np
import pytest
import torch

import anatomy
import surgery
from tests.contract.families import FAMILIES
from tests.contract.portrait import assert_same, portrait
from tests.contract.rows import PICTURE

BOXES, LABELS = [[20.0, 10, 60, 50], [70.0, 20, 120, 60]], [0, 0]


def edit_one_level(model, trace, folder):
    surgery.shift_classes(model, 0, 1)


def mute_one_level(model, trace, folder):
    surgery.mute_level(model, trace.levels[1].name)


def edit_all_but_one(model, trace, folder):
    surgery.bias_classes(model, [level.name for level in trace.levels[:-1]], 0, 1.0)


def write_a_file(model, trace, folder):
    surgery.save(model, folder / "edited.pt")


def run_the_network(model, trace, folder):
    trace.head.forward(as_batch(trace), trace.branch)


def edit_all_levels(model, trace, folder):
    surgery.bias_classes(model, "all", 0, 1.0)


def run_one_level(model, trace, folder):
    trace.head.level_outputs(0, trace.run.features[0], trace.branch)


def boxes_of_a_level(model, trace, folder):
    level = trace.levels[0]
    trace.head.level_boxes(0, torch.zeros(1, len(trace.run.box_logits), *trace.shapes[level.index]))


def assign_targets(model, trace, folder):
    trace.targets(BOXES, LABELS)


def as_batch(trace) -> torch.Tensor:
    return torch.zeros(1, 3, *trace.input_shape)


# what a family can offer, and calls that need it
OFFERS = {
    "edits": (edit_all_levels,),
    "levels": (edit_one_level, mute_one_level, edit_all_but_one),
    "file": (write_a_file,),
    "steps": (run_the_network,),
    "one level": (run_one_level,),
    "boxes by level": (boxes_of_a_level,),
    "targets": (assign_targets,),
}
REFUSALS = [(family, offer) for family in FAMILIES for offer in family.refuses]


def test_a_row_refuses_what_could_be_offered():
    for family in FAMILIES:
        assert family.refuses.keys() <= OFFERS.keys()
        assert (family.files is None) == ("file" in family.refuses)


@pytest.mark.parametrize(("family", "offer"), REFUSALS, ids=str)
def test_what_a_family_does_not_offer_is_refused_with_the_reason(family, offer, model, trace, tmp_path):
    before = portrait(model)
    for call in OFFERS[offer]:
        with pytest.raises((ValueError, TypeError), match=family.refuses[offer]):
            call(model, trace, tmp_path)
    assert_same(before, portrait(model))
    assert surgery.history(model) == ()
    assert list(tmp_path.iterdir()) == []


def test_what_a_family_offers_is_given(family, model, trace, tmp_path):
    tried_in_steps = {"steps", "one level", "boxes by level"}  # test_steps.py
    beyond = {"levels"} if "edits" in family.refuses else set()
    for offer in OFFERS.keys() - family.refuses.keys() - tried_in_steps - beyond:
        for call in OFFERS[offer]:
            call(model, trace, tmp_path)


BAD_EDITS = [
    (lambda m: surgery.shift_classes(m, 99, 1), ValueError, r"Level 99 is out of range\. Levels of this head: 0 \(P"),
    (lambda m: surgery.shift_classes(m, -1, 1), ValueError, r"Level -1 is out of range"),
    (lambda m: surgery.shift_classes(m, "P9", 1), ValueError, r"Level 'P9' does not exist.*or 'all'"),
    (lambda m: surgery.shift_classes(m, [], 1), ValueError, r"empty sequence was given"),
    (lambda m: surgery.shift_classes(m, 1.0, 1), TypeError, r"level given by index must be a whole number, but 1\.0"),
    (lambda m: surgery.shift_classes(m, "all", 2.5), TypeError, r"must be a whole number, but 2\.5"),
    (lambda m: surgery.zero_classes(m, "all", 999), ValueError, r"Class 999 is out of range: this head has classes 0"),
    (lambda m: surgery.zero_classes(m, "all", "zebra crossing"), ValueError, r"'zebra crossing' does not exist"),
    (lambda m: surgery.zero_classes(m, "all", []), ValueError, r"At least one class is needed"),
    (lambda m: surgery.zero_classes(m, "all", 0, bias="off"), ValueError, r"bias must be 'silence', 'keep' or 'zero'"),
    (lambda m: surgery.permute_classes(m, "all", [0] * 999), ValueError, r"exactly once, but 999 entries"),
    (lambda m: surgery.swap_classes(m, "all", 0, 0), ValueError, r"two different classes, but 0 and 0"),
    (lambda m: surgery.scale_classes(m, "all", 0, float("nan")), ValueError, r"factor must be finite, but nan"),
    (lambda m: surgery.scale_classes(m, "all", "all", 1e39), ValueError, r"infinite in torch\.float32"),
    (lambda m: surgery.bias_classes(m, "all", 0, float("-inf")), ValueError, r"delta must be finite, but -inf"),
    (lambda m: surgery.mute_level(m, "all", branches="third"), ValueError, r"live branches are \['one|\['only'"),
    (lambda m: surgery.undo(m, 1), ValueError, r"0 edit\(s\) are recorded.*but 1 was asked"),
    (lambda m: surgery.apply(m, surgery.Edit("melt", (0,))), ValueError, r"Operation 'melt' is unknown"),
]


def test_law_9_bad_edits_change_nothing(family, model):
    before = portrait(model)
    for call, error, message in BAD_EDITS:
        if not family.editable and "infinite" in message:  # it would be the edit itself that is refused
            continue
        with pytest.raises(error, match=message):
            call(model)
        assert surgery.history(model) == ()
    assert_same(before, portrait(model))


BAD_IMAGES = [
    (PICTURE / 255, r"of float64 was given"),
    (np.zeros((8, 8, 5), np.uint8), r"An image array is uint8.*shape \(8, 8, 5\) was given"),
    (np.zeros((0, 4, 3), np.uint8), r"needs pixels, but an array of shape \(0, 4, 3\)"),
    ([], r"an empty list was given"),
    (None, r"An image is needed, but None was given"),
    ("no such file.png", r"There is no file"),
    (1.5, r"1\.5 \(float\) was given, which is no image"),
]
BAD_ARGUMENTS = [
    ("conf", 1.5, r"conf must be from 0 to 1, but 1\.5"),
    ("iou", -1, r"iou must be from 0 to 1"),
    ("imgsz", 0, r"imgsz must be a positive"),
]


def test_law_9_what_is_no_image_is_refused(family, model):
    before = portrait(model)
    for source, message in BAD_IMAGES:
        with pytest.raises(anatomy.SourceError, match=message):
            anatomy.trace(model, source, **family.args)
    assert_same(before, portrait(model))


def test_law_9_bad_arguments_are_refused(family, model):
    before = portrait(model)
    for name, value, message in BAD_ARGUMENTS:
        if name in family.checks:
            with pytest.raises(ValueError, match=message):
                anatomy.trace(model, PICTURE, **{**family.args, name: value})
    with pytest.raises(TypeError, match="has no argument 'treshold'"):
        anatomy.trace(model, PICTURE, **family.args, treshold=0.5)
    assert_same(before, portrait(model))


def test_a_head_without_distributions_says_so(family, model, trace):
    if trace.reg_max == 1:
        with pytest.raises(ValueError, match=r"reg_max = 1.*no distribution"):
            trace.distribution(0)
        return
    bins = trace.distribution(0)
    assert bins.shape == (4, trace.reg_max)
    torch.testing.assert_close(bins.sum(1), torch.ones(4))
    with pytest.raises(IndexError, match=r"Detection 9999 does not exist: this image has \d+"):
        trace.distribution(9999)
