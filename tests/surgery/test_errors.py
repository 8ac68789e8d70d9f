"""Errors come at the door: what the rule is, what was given, what to do; nothing has changed afterwards."""

import copy
import pickle

import numpy as np
import pytest
import torch

import anatomy
import surgery
from tests.ultralytics_nets import narrow

NAMES = {0: "cat", 1: "dog", 2: "Bird", 3: "bird", 4: "tree", 5: "tree"}


@pytest.fixture(scope="module")
def model(build, picture):
    torch.manual_seed(3)
    net = narrow("yolov8n", 6, bodiless=True)
    net.model.names = dict(NAMES)
    net.model.args, net.model.task = {}, "detect"
    return net


BAD = [
    (lambda m: surgery.shift_classes(m, 3, 1), ValueError, r"Level 3 is out of range\. Levels of this head: 0 \(P3"),
    (lambda m: surgery.shift_classes(m, -1, 1), ValueError, r"Level -1 is out of range"),
    (lambda m: surgery.shift_classes(m, "P6", 1), ValueError, r"Level 'P6' does not exist.*or 'all'"),
    (lambda m: surgery.shift_classes(m, [], 1), ValueError, r"empty sequence was given"),
    (lambda m: surgery.shift_classes(m, 1.0, 1), TypeError, r"level given by index must be a whole number, but 1\.0"),
    (lambda m: surgery.shift_classes(m, True, 1), TypeError, r"must be a whole number, but True"),
    (
        lambda m: surgery.shift_classes(m, 0, 2.5),
        TypeError,
        r"k, the shift in classes, must be a whole number, but 2\.5",
    ),
    (lambda m: surgery.shift_classes(m, 0, "1"), TypeError, r"whole number, but '1' \(str\)"),
    (lambda m: surgery.zero_classes(m, 0, 6), ValueError, r"Class 6 is out of range: this head has classes 0 to 5"),
    (lambda m: surgery.zero_classes(m, 0, -1), ValueError, r"Class -1 is out of range"),
    (lambda m: surgery.zero_classes(m, 0, "cot"), ValueError, r"'cot' does not exist.*Did you mean 'cat'\?"),
    (lambda m: surgery.zero_classes(m, 0, "zebra"), ValueError, r"'zebra' does not exist.*The names are 'cat', 'dog'"),
    (lambda m: surgery.zero_classes(m, 0, "BIRD"), ValueError, r"'BIRD' is ambiguous: it fits the ids \[2, 3\]"),
    (lambda m: surgery.zero_classes(m, 0, "tree"), ValueError, r"'tree' is ambiguous.*Give the id instead"),
    (lambda m: surgery.zero_classes(m, 0, []), ValueError, r"At least one class is needed"),
    (
        lambda m: surgery.zero_classes(m, 0, 0, bias="off"),
        ValueError,
        r"bias must be 'silence', 'keep' or 'zero', but 'off'",
    ),
    (
        lambda m: surgery.permute_classes(m, 0, [0, 1, 2, 3, 4, 4]),
        ValueError,
        r"exactly once, but 6 entries.*\[5\] is missing",
    ),
    (lambda m: surgery.permute_classes(m, 0, [0, 1]), ValueError, r"exactly once, but 2 entries.*are missing"),
    (lambda m: surgery.permute_classes(m, 0, {0: 1}), ValueError, r"onto one another.*sends \[0\] to \[1\]"),
    (lambda m: surgery.permute_classes(m, 0, 3), TypeError, r"sequence of class ids or a mapping"),
    (
        lambda m: surgery.swap_classes(m, 0, "cat", 0),
        ValueError,
        r"two different classes, but 'cat' and 0 are both class 0",
    ),
    (lambda m: surgery.scale_classes(m, 0, 0, float("nan")), ValueError, r"factor must be finite, but nan"),
    (
        lambda m: surgery.scale_classes(m, 0, 0, float("inf")),
        ValueError,
        r"factor must be finite, but inf.*zero_classes",
    ),
    (lambda m: surgery.scale_classes(m, 0, 0, "2"), TypeError, r"factor must be a number, but '2'"),
    (lambda m: surgery.scale_classes(m, 0, "all", 1e39), ValueError, r"rows of level 0 infinite in torch\.float32"),
    (lambda m: surgery.bias_classes(m, 0, 0, float("-inf")), ValueError, r"delta must be finite, but -inf"),
    (lambda m: surgery.mute_level(m, "p9"), ValueError, r"Level 'p9' does not exist"),
    (lambda m: surgery.undo(m, 1), ValueError, r"0 edit\(s\) are recorded.*but 1 was asked"),
    (lambda m: surgery.undo(m, -1), ValueError, r"but -1 was asked"),
    (lambda m: surgery.undo(m, 0.5), TypeError, r"number of edits to undo must be a whole number"),
    (lambda m: surgery.mute_level(m, 0, branches="one2one"), ValueError, r"live branches are \['one2many'\]"),
    (
        lambda m: surgery.apply(m, surgery.Edit("melt", (0,))),
        ValueError,
        r"Operation 'melt' is unknown\. There are shift",
    ),
    (lambda m: surgery.apply(m, surgery.Edit("shift_classes", (0,))), ValueError, r"needs the parameter 'k'"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_arguments_change_nothing(model, call, error, message):
    before = copy.deepcopy(model.model.state_dict())
    with pytest.raises(error, match=message):
        call(model)
    assert all(torch.equal(value, before[name]) for name, value in model.model.state_dict().items())
    assert surgery.history(model) == ()


@pytest.mark.parametrize(
    ("k", "same_as"), [(-1, 5), (7, 1), (-13, 5), (np.int64(6), 0), (10**12 + 3, (10**12 + 3) % 6)]
)
def test_shifts_wrap(model, k, same_as):
    conv = model.model.model[-1].cv3[1][-1]
    before = conv.weight.detach().clone(), conv.bias.detach().clone()
    with surgery.scratch(model):
        surgery.shift_classes(model, "p4", k)
        for row in range(6):
            assert torch.equal(conv.weight[(row + same_as) % 6], before[0][row])
            assert torch.equal(conv.bias[(row + same_as) % 6], before[1][row])


def test_orders_and_mappings_by_hand(model):
    conv = model.model.model[-1].cv3[0][-1]
    before = conv.bias.detach().clone()
    with surgery.scratch(model):
        surgery.permute_classes(model, 0, ["dog", "cat", 2, 3, 5, 4])
        assert torch.equal(conv.bias, before[[1, 0, 2, 3, 5, 4]])
    with surgery.scratch(model):
        surgery.permute_classes(model, 0, {"cat": "dog", "dog": 4, 4: "cat"})  # old row -> new place
        assert torch.equal(conv.bias[[1, 4, 0]], before[[0, 1, 4]])
    with surgery.scratch(model):
        surgery.swap_classes(model, 0, "dog", 3)
        assert torch.equal(conv.bias, before[[0, 3, 2, 1, 4, 5]])


def test_a_shared_class_conv_is_refused_for_one_level_and_edited_once_for_all(model):
    shared = copy.deepcopy(model)
    levels = shared.model.model[-1].cv3
    for level in (levels[1], levels[2]):
        level[-1] = levels[0][-1]
    before = levels[0][-1].bias.detach().clone()
    with pytest.raises(ValueError, match=r"levels P3, P4, P5 share one class convolution.*P4 alone.*level='all'"):
        surgery.shift_classes(shared, 1, 1)
    assert torch.equal(levels[0][-1].bias, before)
    surgery.shift_classes(shared, "all", 1)
    assert torch.equal(levels[0][-1].bias, before.roll(1))
    surgery.undo(shared)
    assert torch.equal(levels[0][-1].bias, before)


REFUSED = [
    ("yolov8n-cls.yaml", r"Classify is not supported: a classifier.*Heads that work: Detect"),
    ("yolo26n-sem.yaml", r"SemanticSegment is not supported: .*labels pixels"),
    ("yolo26n-depth.yaml", r"Depth is not supported: .*depth map"),
    ("yoloe-v8n.yaml", r"YOLOEDetect has no vocabulary yet.*model\.set_classes\(names\)"),
]


@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_heads_without_class_rows_are_refused(name, message):
    from ultralytics import YOLO

    other = YOLO(name)
    for call in (
        anatomy.levels,
        lambda m: anatomy.trace(m, np.zeros((64, 64, 3), np.uint8)),
        lambda m: surgery.shift_classes(m, 0, 1),
        lambda m: surgery.history(m),
    ):
        with pytest.raises(TypeError, match=message):
            call(other)


def test_other_objects_are_refused():
    with pytest.raises(TypeError, match=r"Linear is no detector that the workbench knows.*describe_head"):
        anatomy.levels(torch.nn.Linear(2, 2))
    with pytest.raises(TypeError, match=r"str is no detector"):
        anatomy.levels("yolov8n.pt")


def test_recipes_are_json_and_read_back(model, tmp_path):
    with surgery.scratch(model):
        surgery.swap_classes(model, "all", "cat", "dog")
        surgery.scale_classes(model, 0, ["cat", 4], 2.0)
        surgery.mute_level(model, "P5")
        path = surgery.write_recipe(surgery.history(model), tmp_path / "recipe.json")
        edited, edits = copy.deepcopy(model.model.state_dict()), surgery.history(model)
    assert surgery.read_recipe(path) == edits
    with surgery.scratch(model):
        surgery.apply(model, surgery.read_recipe(path))
        assert all(torch.equal(value, edited[name]) for name, value in model.model.state_dict().items())
    path.write_text("not json")
    with pytest.raises(ValueError, match="is no JSON recipe"):
        surgery.read_recipe(path)
    path.write_text('[{"operation": "shift_classes"}]')
    with pytest.raises(ValueError, match=r"needs the fields.*'operation': 'shift_classes'"):
        surgery.read_recipe(path)
    assert pickle.loads(pickle.dumps(edits)) == edits
