"""The classes of two models in one head: each with its own logits, where backbone and neck are the same."""

import copy

import pytest
import torch

import anatomy
import surgery
from tests.contract.rows import PICTURE
from tests.surgery.structure.heads import ARGS, NAMES, assert_same, head_of, looked_at, portrait
from tests.ultralytics_nets import narrow


@pytest.fixture
def pair():
    """A model, and a bare network with the same body, other class towers, and two classes of other names."""
    model = head_of("yolo26n")
    other = copy.deepcopy(model.model)
    with torch.no_grad():
        for stacks in (other.model[-1].cv3, other.model[-1].one2one_cv3):
            for stack in stacks:
                stack[0][1].conv.weight.mul_(1.1)
    surgery.keep_classes(other, ["star", "ring"])
    surgery.rename_classes(other, {"star": "Stern", "ring": "Ring"})
    with surgery.scratch(model):
        yield model, other


@pytest.mark.parametrize("nms", [None, False])
def test_each_class_has_the_logits_of_its_own_model(pair, nms):
    model, other = pair
    args = {} if nms is None else {"nms": nms}
    of_one, of_other = (anatomy.trace(entry, PICTURE, **ARGS, **args) for entry in pair)
    edit = surgery.stack_heads(model, other)
    both = anatomy.trace(model, PICTURE, **ARGS, **args)
    assert list(model.names.values()) == [*NAMES, "Stern", "Ring"]
    assert edit.parameters["boxes"] == "boxes are this model's, those of the other are the same"
    for ours, theirs, together in zip(of_one.logits, of_other.logits, both.logits, strict=True):
        torch.testing.assert_close(together, torch.cat([ours, theirs]), rtol=0, atol=5e-5)
    assert torch.equal(both.run.boxes, of_one.run.boxes)
    assert surgery.certify(model).in_step
    with pytest.raises(RuntimeError, match="they read other features"):
        of_one.replay()


def test_rows_of_both_are_edited_and_told_apart(pair):
    model, other = pair
    surgery.stack_heads(model, other)
    before = looked_at(model)
    checks = surgery.certify(model).rows
    assert [(check.changed, check.equal) for check in checks] == [((6, 7), (0, 1, 2, 3, 4, 5))] * 6
    surgery.merge_classes(model, {"stars": ["star", "Stern"]})
    merged = before.replay()
    for old, new in zip(before.logits, merged.logits, strict=True):
        torch.testing.assert_close(new[2], old[[2, 6]].amax(0), rtol=0, atol=5e-5)
    assert surgery.certify(model).rows[0].moved == {}  # "stars" has a row that the original has not


def test_taken_back_the_towers_are_the_very_modules(pair):
    model, other = pair
    looked_at(model)
    before = portrait(model)
    surgery.stack_heads(model, other)
    assert anatomy.describe(model).class_towers == 2
    surgery.undo(model)
    assert_same(before, portrait(model))
    assert surgery.certify(model).in_step and len(looked_at(model).names) == 6


def test_where_the_towers_are_one_the_rows_alone_are_put_together():
    model = head_of("yolov8n")
    other = copy.deepcopy(model.model)
    surgery.merge_classes(other, {"solid": ["cube", "ball", "cone"]})
    surgery.rename_classes(other, {name: name.upper() for name in other.names.values()})
    before = looked_at(model)
    with surgery.scratch(model):
        surgery.stack_heads(model, other)
        after = looked_at(model)
        assert anatomy.describe(model).class_towers == 1
    for old, new in zip(before.logits, after.logits, strict=True):
        solid = old[[0, 4, 5]].amax(0, keepdim=True)
        torch.testing.assert_close(new, torch.cat([old, solid, old[1:4]]), rtol=0, atol=5e-5)


def test_the_first_layer_that_differs_is_named(pair):
    model, other = pair
    before = portrait(model)
    with torch.no_grad():
        other.model[1].conv.weight[0, 0, 0, 0] += 1e-6
    with pytest.raises(ValueError, match=r"first layer that differs is model\.1\.conv: the numbers of weight differ"):
        surgery.stack_heads(model, other)
    wider = narrow("yolo26n", 6, 1 / 4, bodiless=True)
    with pytest.raises(ValueError, match=r"first layer that differs is model\.0\.conv: out_channels is 8 here and 16 "):
        surgery.stack_heads(model, wider)
    assert_same(before, portrait(model))


def test_names_of_both_must_differ(pair):
    model, other = pair
    surgery.rename_classes(other, {"Stern": "star"})
    with pytest.raises(ValueError, match="'star' would stand twice"):
        surgery.stack_heads(model, other)


def test_other_boxes_are_told(pair):
    model, other = pair
    with torch.no_grad():
        other.model[-1].cv2[1][0].conv.weight.mul_(2)
    edit = surgery.stack_heads(model, other)
    assert edit.parameters["boxes"] == "boxes are this model's, those of the other differ from P4 (one2many) on"


def test_a_recipe_finds_the_other_model_by_its_fingerprint(pair, tmp_path):
    model, other = pair
    surgery.stack_heads(model, other)
    recipe = surgery.write_recipe(surgery.history(model), tmp_path / "recipe.json")
    after = looked_at(model)
    surgery.undo(model)
    refused = surgery.dry_run(model, recipe)
    assert refused.steps == () and "Give it as others=" in refused.refused and "REFUSED" in str(refused)
    assert surgery.dry_run(model, recipe, others=other).after == (*NAMES, "Stern", "Ring")
    assert list(model.names.values()) == list(NAMES)
    surgery.apply(model, recipe, others=[head_of("yolov8n"), other])
    assert all(torch.equal(a, b) for a, b in zip(looked_at(model).logits, after.logits, strict=True))
