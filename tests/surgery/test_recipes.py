"""Recipes and arguments of edits: every entry is checked against its operation, and a bad one changes nothing."""

import copy
import json

import numpy as np
import pytest
import torch

import surgery
from surgery import Edit

NAMES = {0: "cat", 1: "dog", 2: "bird", 3: "tree"}


@pytest.fixture(scope="module")
def model(build, picture):
    made = build("yolov8n", picture)
    for index, name in NAMES.items():
        made.model.names[index] = name
    return made


def shift(**changes) -> dict:
    return {"operation": "shift_classes", "levels": [0], "parameters": {"k": 1}} | changes


ENTRIES = [
    (0, r"A recipe entry needs the fields .*but 0 \(int\)"),
    (None, r"needs the fields.*but None"),
    ([], r"needs the fields"),
    ({}, r"needs the fields"),
    (shift(levels=0), r"shift_classes: levels must be a list, \[0\] for one, but 0 \(int\)"),
    (shift(levels="P3"), r"levels must be a list, \[0\] for one, but 'P3'"),
    (shift(levels={"0": 1}), r"levels must be a list"),
    (shift(levels=None), r"levels must be a list"),
    (shift(levels=[]), r"levels must hold at least 1, but 0 were given"),
    (shift(levels=[0.5]), r"every entry of levels that is no name must be a whole number, but 0\.5"),
    (shift(levels=[True]), r"must be a whole number, but True"),
    (shift(levels=[[0]]), r"must be a whole number, but \[0\]"),
    (shift(levels=[None]), r"must be a whole number, but None"),
    (shift(parameters=[1]), r"parameters must map names to values, but \[1\]"),
    (shift(parameters=None), r"parameters must map names to values"),
    (shift(parameters={}), r"needs the parameter 'k', which the edit does not give"),
    (shift(parameters={"k": 1, "kk": 2}), r"does not know the parameter 'kk'\. It takes 'k'"),
    (shift(parameters={"k": "1"}), r"shift_classes: k must be a whole number, but '1' \(str\)"),
    (shift(parameters={"k": 1.0}), r"k must be a whole number, but 1\.0"),
    (shift(parameters={"k": None}), r"k must be a whole number, but None"),
    (shift(classes=0), r"classes must be a list"),
    (shift(classes=[1]), r"classes must hold none, but 1 were given"),
    (shift(branches="one2many"), r"branches must be a list of names, but 'one2many'"),
    (shift(branches=[1]), r"branches must be a list of names"),
    (shift(operation=1), r"Operation 1 \(int\) is unknown\. There are shift_classes"),
    (shift(operation=["shift_classes"]), r"Operation \['shift_classes'\] \(list\) is unknown"),
    (shift(operation="melt"), r"Operation 'melt' is unknown"),
    (shift(colour="red"), r"needs the fields"),
    ({"operation": "swap_classes", "levels": [0], "classes": [1]}, r"swap_classes: classes must hold exactly 2, but 1"),
    ({"operation": "swap_classes", "levels": [0]}, r"classes must hold exactly 2, but 0"),
    ({"operation": "swap_classes", "levels": [0], "classes": [1, 2, 3]}, r"classes must hold exactly 2, but 3"),
    (
        {"operation": "zero_classes", "levels": [0], "parameters": {"bias": "keep"}},
        r"zero_classes: classes must hold at least 1, but 0",
    ),
    (
        {"operation": "zero_classes", "levels": [0], "classes": [0], "parameters": {"bias": ["keep"]}},
        r"zero_classes: bias must be 'silence', 'keep' or 'zero', but \['keep'\]",
    ),
    (
        {"operation": "scale_classes", "levels": [0], "classes": [0], "parameters": {"factor": float("nan")}},
        r"scale_classes: factor must be finite, but nan",
    ),
    (
        {"operation": "bias_classes", "levels": [0], "classes": [0], "parameters": {"delta": 10**400}},
        r"bias_classes: delta must be finite",
    ),
    (
        {"operation": "permute_classes", "levels": [0], "parameters": {"order": "0123"}},
        r"permute_classes: order must be a list of class ids, but '0123'",
    ),
    (
        {"operation": "permute_classes", "levels": [0], "parameters": {"order": [[0, 1]]}},
        r"Every entry of permute_classes: order must be a whole number, but \[0, 1\]",
    ),
]


@pytest.mark.parametrize(("entry", "message"), ENTRIES)
def test_a_bad_entry_is_a_value_error_that_names_field_and_rule(tmp_path, entry, message):
    with pytest.raises(ValueError, match=message):
        Edit.from_dict(entry)
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps([shift(), entry]))
    with pytest.raises(ValueError, match=f"Entry 1 of .*recipe.json' is no edit. .*{message}"):
        surgery.read_recipe(path)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "]" * 100_000,
        '[{"operation": ' + "[" * 3000 + "]" * 3000 + ', "levels": [0]}]',
        f"[{'9' * 5000}]",
        "",
        "{",
        "\x00",
        "null",
        "{}",
        '"a"',
    ],
    ids=["nested", "nested entry", "long number", "empty", "cut", "nul", "null", "object", "text"],
)
def test_a_file_that_is_no_recipe_is_a_value_error(tmp_path, text):
    path = tmp_path / "recipe.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"is no JSON recipe|A recipe is a JSON list|is no edit"):
        surgery.read_recipe(path)


def test_bytes_that_are_no_text_are_no_recipe(tmp_path):
    (tmp_path / "recipe.json").write_bytes(b"\xff\xfe\x00[")
    with pytest.raises(ValueError, match="is no JSON recipe"):
        surgery.read_recipe(tmp_path / "recipe.json")


HAND_MADE = [
    (Edit("swap_classes", (0,), (1,)), ValueError, r"swap_classes: classes must hold exactly 2, but 1"),
    (Edit("swap_classes", (0,), ()), ValueError, r"exactly 2, but 0"),
    (Edit("zero_classes", (0,), (), {"bias": "keep"}), ValueError, r"classes must hold at least 1"),
    (Edit("zero_classes", (0,), (1,), {"bias": "off"}), ValueError, r"bias must be 'silence'"),
    (Edit("shift_classes", 0, (), {"k": 1}), ValueError, r"levels must be a list"),
    (Edit("shift_classes", (0,), (), {"k": 1}, ("two",)), ValueError, r"live branches are \['one2many'\]"),
    (Edit("shift_classes", (7,), (), {"k": 1}), ValueError, r"Level 7 is out of range"),
    (Edit("permute_classes", (0,), (), {"order": [0, 1]}), ValueError, r"order must hold each of the 80 classes"),
    (shift(), TypeError, r"Edits are an Edit, a sequence of Edits or the path.*but \{.*Edit\.from_dict"),
    ([shift()], TypeError, r"Edits are an Edit, a sequence.*dict"),
    (None, TypeError, r"but None \(NoneType\)"),
    (3, TypeError, r"but 3 \(int\)"),
    (b"r.json", TypeError, r"but b'r\.json'"),
    ([Edit("mute_level", (0,)), 3], TypeError, r"but 3 \(int\)"),
    ("no such file.json", FileNotFoundError, r"no such file"),
]


@pytest.mark.parametrize(("edits", "error", "message"), HAND_MADE)
def test_edits_made_by_hand_are_checked_before_anything_changes(model, edits, error, message):
    check_refused(model, lambda: surgery.apply(model, edits), error, message)
    if not isinstance(edits, Edit | str):
        good = Edit("mute_level", (1,))
        check_refused(model, lambda: surgery.apply(model, [good, edits]), TypeError, "Edits are an Edit")
    elif isinstance(edits, Edit):
        check_refused(model, lambda: surgery.apply(model, [Edit("mute_level", (1,)), edits]), error, message)


def check_refused(model, call, error, message) -> None:
    before = copy.deepcopy(model.model.state_dict())
    with pytest.raises(error, match=message):
        call()
    assert all(torch.equal(value, before[name]) for name, value in model.model.state_dict().items())
    assert surgery.history(model) == ()


def test_a_recipe_is_applied_by_its_path(model, tmp_path):
    path = surgery.write_recipe(Edit("shift_classes", (0, 2), (), {"k": 3}), tmp_path / "r.json")
    for given in (path, str(path), surgery.read_recipe(path), iter(surgery.read_recipe(path))):
        with surgery.scratch(model):
            (made,) = surgery.apply(model, given)
            assert (made.operation, made.levels, dict(made.parameters)) == ("shift_classes", (0, 2), {"k": 3})
    with pytest.raises(TypeError, match="Edits are an Edit"):
        surgery.write_recipe([3], path)
    assert surgery.read_recipe(path)[0].levels == (0, 2)  # what was there is whole


def test_levels_and_classes_of_a_recipe_may_be_names(model):
    entry = {"operation": "zero_classes", "levels": ["P4"], "classes": ["dog", 3], "parameters": {"bias": "keep"}}
    with surgery.scratch(model):
        (made,) = surgery.apply(model, Edit.from_dict(entry))
        assert made.levels == (1,) and made.classes == (1, 3)


SCALARS = [np.array(1), torch.tensor(1), np.int16(1), 1]


@pytest.mark.parametrize("one", SCALARS, ids=repr)
def test_whole_numbers_of_every_library_edit_alike(model, one):
    with surgery.scratch(model):
        made = (
            surgery.shift_classes(model, one, one),
            surgery.zero_classes(model, one, one),
            surgery.swap_classes(model, one, one, 2),
            surgery.scale_classes(model, one, one, one),
            surgery.bias_classes(model, one, [one], one),
        )
        assert [edit.levels for edit in made] == [(1,)] * 5
        assert made[0].parameters["k"] == 1 and made[1].classes == (1,) and made[3].parameters["factor"] == 1.0
        json.dumps([edit.to_dict() for edit in made])


BAD = [
    (lambda m: surgery.zero_classes(m, 0, None), TypeError, r"A class given by id must be a whole number, but None"),
    (lambda m: surgery.scale_classes(m, 0, None, 2), TypeError, r"whole number, but None"),
    (lambda m: surgery.bias_classes(m, 0, None, 2), TypeError, r"whole number, but None"),
    (lambda m: surgery.mute_level(m, None), TypeError, r"A level given by index must be a whole number, but None"),
    (lambda m: surgery.shift_classes(m, 0, None), TypeError, r"k, the shift in classes, must be a whole number"),
    (lambda m: surgery.shift_classes(m, 0, torch.tensor(True)), TypeError, r"whole number, but tensor\(True\)"),
    (lambda m: surgery.shift_classes(m, 0, torch.tensor([1])), TypeError, r"whole number, but tensor\(\[1\]\)"),
    (lambda m: surgery.shift_classes(m, torch.tensor(0.0), 1), TypeError, r"whole number, but tensor\(0\.\)"),
    (lambda m: surgery.zero_classes(m, 0, {0: 1}), TypeError, r"whole number, but \{0: 1\}"),
    (lambda m: surgery.zero_classes(m, 0, np.ones(80, bool)), TypeError, r"whole number, but np\.True_"),
    (lambda m: surgery.zero_classes(m, 0, 0, bias=None), ValueError, r"bias must be 'silence', 'keep' or 'zero'"),
    (lambda m: surgery.zero_classes(m, 0, 0, bias=np.array(["keep"])), ValueError, r"bias must be 'silence'"),
    (lambda m: surgery.permute_classes(m, 0, set(range(80))), TypeError, r"order must be a sequence of class ids"),
    (lambda m: surgery.permute_classes(m, 0, bytes(range(80))), TypeError, r"order must be a sequence of class ids"),
    (lambda m: surgery.permute_classes(m, 0, np.array(3)), TypeError, r"order must be a sequence of class ids"),
    (lambda m: surgery.permute_classes(m, 0, torch.eye(80).int()), TypeError, r"A class given by id must be a whole"),
    (lambda m: surgery.permute_classes(m, 0, None), TypeError, r"order must be a sequence of class ids"),
    (lambda m: surgery.permute_classes(m, 0, []), ValueError, r"exactly once, but 0 entries"),
    (lambda m: surgery.swap_classes(m, 0, [0], 1), TypeError, r"whole number, but \[0\]"),
    (lambda m: surgery.scale_classes(m, 0, 0, None), TypeError, r"factor must be a number, but None"),
    (lambda m: surgery.scale_classes(m, 0, 0, True), TypeError, r"factor must be a number, but True"),
    (lambda m: surgery.scale_classes(m, 0, 0, 10**400), ValueError, r"factor must be finite"),
    (lambda m: surgery.scale_classes(m, 0, 0, [2]), TypeError, r"factor must be a number, but \[2\]"),
    (lambda m: surgery.bias_classes(m, 0, 0, torch.tensor(float("nan"))), ValueError, r"delta must be finite"),
    (lambda m: surgery.mute_level(m, 0, branches=None), TypeError, r"branches must be names such as 'one2many'"),
    (lambda m: surgery.mute_level(m, 0, branches=[["one2many"]]), TypeError, r"branches must be names"),
    (lambda m: surgery.mute_level(m, 0, branches={"one2many": 1}), TypeError, r"branches must be names"),
    (lambda m: surgery.undo(m, True), TypeError, r"number of edits to undo must be a whole number, but True"),
    (lambda m: surgery.undo(m, None), TypeError, r"must be a whole number, but None"),
    (lambda m: surgery.undo(m, 10**9), ValueError, r"0 edit\(s\) are recorded"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_arguments_of_edits_change_nothing(model, call, error, message):
    check_refused(model, lambda: call(model), error, message)


def test_a_branch_named_twice_is_edited_once(model):
    conv = model.model.model[-1].cv3[0][-1]
    before = conv.bias.detach().clone()
    with surgery.scratch(model):
        edit = surgery.bias_classes(model, 0, "all", 1.0, branches=["one2many", "one2many"])
        assert edit.branches == ("one2many",)
        assert torch.equal(conv.bias, before + 1)


def test_numpy_text_is_a_name(model):
    with surgery.scratch(model):
        assert surgery.zero_classes(model, np.str_("P4"), np.str_("dog")).classes == (1,)
