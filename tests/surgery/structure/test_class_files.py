"""Files of models whose classes were made others: read with care, undone, refused where their record is none."""

import copy

import pytest
import torch

import anatomy
import surgery
from tests.surgery.structure.heads import NAMES, head_of, looked_at


def stacked(model):
    other = copy.deepcopy(model.model)
    with torch.no_grad():
        for stack in other.model[-1].cv3:
            stack[0].conv.weight.mul_(1.1)
    surgery.rename_classes(other, {name: name.upper() for name in NAMES})
    return surgery.stack_heads(model, other)


EDITS = {
    "kept": lambda model: surgery.keep_classes(model, ["star", "ball"]),
    "merged": lambda model: surgery.merge_classes(model, {"solid": ["cube", "ball", "cone"], "flat": ["ring", "star"]}),
    "renamed": lambda model: surgery.rename_classes(model, {"ball": "sphere"}),
    "stacked": stacked,
}


@pytest.fixture(scope="module", params=EDITS)
def saved(request, tmp_path_factory):
    """A file of a model after an edit between two others, and what was seen before, between and after."""
    return written(EDITS[request.param], tmp_path_factory.mktemp("files") / "edited.pt")


@pytest.fixture(scope="module")
def merged(tmp_path_factory):
    """The file of a model with merged classes."""
    return written(EDITS["merged"], tmp_path_factory.mktemp("files") / "merged.pt")[0]


def written(change, path):
    model = head_of("yolov8n-seg")
    with surgery.scratch(model):
        surgery.bias_classes(model, "P3", "ball", 0.5)
        before = looked_at(model)
        change(model)
        surgery.shift_classes(model, "P4", 1)
        after = looked_at(model)
        surgery.save(model, path)
    return path, before, after


def test_a_file_is_opened_and_undone(saved):
    path, before, after = saved
    model = surgery.load(path)
    found = looked_at(model)
    assert found.names == after.names
    assert all(torch.equal(a, b) for a, b in zip(found.logits, after.logits, strict=True))
    assert surgery.certify(model, against=path).untouched
    surgery.undo(model, 2)
    found = looked_at(model)
    assert found.names == before.names == dict(enumerate(NAMES))
    assert all(torch.equal(a, b) for a, b in zip(found.logits, before.logits, strict=True))
    surgery.undo(model)
    assert surgery.certify(model).untouched and surgery.history(model) == ()


DAMAGES = {
    "no states": (lambda entry: entry.pop("states"), "have the shapes|have the shape"),
    "too few": (lambda entry: entry.update(states=[None]), "for each of 3 edits how it left the classes"),
    "no rows": (lambda entry: entry["states"][1][1].update(rows_per_class=0), r"\(0, 1\) rows feed a class|\(0, 2\)"),
    "other names": (lambda entry: entry["states"][1][1].update(names=["a"]), "The record left .* but then"),
    "names of numbers": (lambda entry: entry["states"][1][0].update(names=[1, 2]), "must hold 2 names"),
    "too many": (lambda entry: entry["states"][1][0].update(names=["a"] * 50), "have the shapes"),
    "no mapping": (lambda entry: entry["states"].__setitem__(1, [1, 2]), "cannot be read"),
    "original": (lambda entry: entry.update(names=["a"]), "must hold 6 names"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_record_that_does_not_fit_is_refused(merged, tmp_path, damage):
    path = tmp_path / "damaged.pt"
    change, message = DAMAGES[damage]
    content = torch.load(merged, weights_only=False)
    change(content["surgery"])
    torch.save(content, path)
    with pytest.raises(anatomy.CheckpointError, match=message):
        surgery.load(path)
