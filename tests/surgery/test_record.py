"""The record: what goes back is what stood there, foreign rows are told and kept, and copies carry it along."""

import copy
import io
import json
import pickle
import re
import subprocess
import sys
import warnings
from dataclasses import FrozenInstanceError

import pytest
import torch
from ultralytics import YOLO

import anatomy
import surgery
from surgery.memory import ledger
from surgery.record import pack
from surgery.unpacking import unpack
from tests.ultralytics_nets import narrow

NAMES = dict(enumerate(["cat", "dog", "bird", "fish", "tree", "car"]))


def two_branches() -> YOLO:
    """The head of YOLOv10 with 80 classes, on no more of a body than it needs."""
    return narrow("yolov10n", 80, bodiless=True)


@pytest.fixture(scope="module")
def made():
    torch.manual_seed(5)
    return two_branches().model


@pytest.fixture
def net(made):
    """A network of two branches that the workbench has not seen yet."""
    return copy.deepcopy(made)


def conv(net, level: int = 0, branch: str = "cv3"):
    return getattr(net.model[-1], branch)[level][-1]


def rows(net) -> dict:
    """The class rows of both branches, by name."""
    named = net.state_dict().items()
    return {name: value.clone() for name, value in named if re.search(r"cv3\.\d\.2\.(weight|bias)$", name)}


def same(a: dict, b: dict) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def train_a_step(net) -> None:
    """One step of an optimizer over everything."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    sum(parameter.square().sum() for parameter in net.parameters() if parameter.requires_grad).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


FOREIGN = [
    train_a_step,
    lambda net: net.load_state_dict({name: value * 1.5 for name, value in net.state_dict().items()}),
    lambda net: conv(net).bias.data.add_(1),
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=["optimizer", "load_state_dict", "by hand"])
def test_undo_refuses_to_write_over_rows_that_something_else_wrote(net, foreign):
    for parameter in net.parameters():
        parameter.requires_grad_(True)
    before = rows(net)
    surgery.shift_classes(net, ["P3", "P4"], 1)
    surgery.zero_classes(net, "P3", 2)
    foreign(net)
    kept = rows(net)
    for call in (surgery.undo, surgery.reset, lambda n: surgery.undo(n, 2)):
        with pytest.raises(
            RuntimeError, match=r"The rows are not those that the last \d edit\(s\) left: P3 \(one2many"
        ):
            call(net)
        with pytest.raises(surgery.RecordError, match=r"Nothing is changed\. undo\(model, \d, force=True\).*forget"):
            call(net)
    assert same(kept, rows(net))
    with pytest.warns(surgery.RecordWarning, match=r"not those that the recorded edits left: P3 .*certify.*forget"):
        assert len(surgery.history(net)) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(surgery.history(net)) == 2  # told once a state
    assert len(surgery.reset(net, force=True)) == 2
    for name in ("cv3.0.2.weight", "cv3.0.2.bias", "cv3.1.2.weight"):
        assert torch.equal(rows(net)[f"model.6.{name}"], before[f"model.6.{name}"])


def test_what_was_changed_between_two_edits_is_seen_when_it_would_be_passed(net):
    surgery.shift_classes(net, "P3", 1)
    conv(net).bias.data[4] += 1
    surgery.shift_classes(net, "P3", 1)
    changed = rows(net)
    with pytest.warns(surgery.RecordWarning, match=r"P3 \(one2many\): 1 of 80 rows"):
        surgery.history(net)
    with pytest.raises(surgery.RecordError, match=r"P3 \(one2many\): 1 of 80 rows"):
        surgery.undo(net, 2)
    assert same(changed, rows(net))
    surgery.undo(net)
    with pytest.raises(surgery.RecordError):
        surgery.undo(net)
    assert len(surgery.undo(net, force=True)) == 1


def test_what_changed_at_another_level_is_left_alone_by_undo(net):
    surgery.shift_classes(net, "P3", 1)
    conv(net, 2).bias.data[4] += 1
    kept = conv(net, 2).bias.clone()
    surgery.undo(net)
    assert torch.equal(conv(net, 2).bias, kept)


def test_forget_makes_the_rows_as_they_are_the_original(net):
    surgery.shift_classes(net, "P3", 1)
    conv(net).bias.data[4] += 1
    kept = rows(net)
    assert [edit.operation for edit in surgery.forget(net)] == ["shift_classes"]
    assert same(kept, rows(net))
    assert surgery.history(net) == ()
    assert surgery.certify(net).untouched
    surgery.swap_classes(net, 0, 1, 2)
    surgery.reset(net)
    assert same(kept, rows(net))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("back", [False, True])
def test_undo_after_a_cast_is_as_if_nothing_had_been_edited(net, dtype, back):
    plain = copy.deepcopy(net)
    surgery.shift_classes(net, "all", 1)
    surgery.mute_level(net, "P5")
    for entry in (net, plain):
        entry.to(dtype)
        if back:
            entry.float()
        entry.to(memory_format=torch.channels_last)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(surgery.history(net)) == 2
    surgery.scale_classes(net, "P3", 0, 1.5)
    surgery.reset(net)
    assert same(rows(net), rows(plain))
    assert conv(net).weight.dtype == (torch.float32 if back else dtype)
    assert surgery.certify(net).untouched


def test_fusion_between_edit_and_undo(net):
    plain = copy.deepcopy(net)
    surgery.shift_classes(net, "all", 1)
    surgery.zero_classes(net, "P3", 2, branches="one2one")
    surgery.zero_classes(net, "P4", 2, branches="one2many")
    net.fuse(verbose=False)
    plain.fuse(verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(surgery.history(net)) == 3
    assert surgery.certify(net).rows
    surgery.reset(net)
    assert same(rows(net), rows(plain))
    assert surgery.history(net) == ()


def test_convolutions_of_another_shape_are_refused(net):
    surgery.shift_classes(net, "P3", 1)
    net.model[-1].cv3[0][-1] = torch.nn.Conv2d(7, 80, 1)
    for force in (False, True):
        with pytest.raises(surgery.RecordError, match=r"of P3 \(one2many\) have another shape.*Nothing is changed"):
            surgery.undo(net, force=force)
    assert surgery.certify(net).rows[0].drifted == tuple(range(80))


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "copy of a copy": lambda net: copy.deepcopy(pickle.loads(pickle.dumps(copy.deepcopy(net)))),
    "shallow": copy.copy,
}


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_carries_the_record_and_goes_its_own_way(net, how):
    before = rows(net)
    surgery.shift_classes(net, "all", 1)
    surgery.mute_level(net, "P4")
    twin = COPIES[how](net)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert surgery.history(twin) == surgery.history(net)
    surgery.reset(twin)
    assert same(rows(twin), before)
    if how == "shallow":  # one set of weights, one record
        assert surgery.history(net) == ()
        return
    assert len(surgery.history(net)) == 2
    surgery.shift_classes(twin, "all", 2)
    surgery.reset(net)
    assert same(rows(net), before)
    assert len(surgery.history(twin)) == 1


def test_a_marked_network_can_be_traced_by_torch(net):
    surgery.shift_classes(net, "all", 1)
    net.eval().model[-1].export = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.no_grad():
            traced = torch.jit.trace(net, torch.zeros(1, 3, 64, 64), strict=False, check_trace=False)
            assert torch.equal(traced(torch.ones(1, 3, 64, 64)), net(torch.ones(1, 3, 64, 64)))


PLAIN = """
import sys, torch
from ultralytics import YOLO
model = YOLO(sys.argv[1])
print(sorted(set(sys.modules) & {"anatomy", "surgery", "viz"}), type(model.model.__dict__["_workbench"]).__name__)
"""


def test_a_pickled_network_opens_with_ultralytics_alone_and_with_the_restricted_unpickler(net, tmp_path):
    surgery.shift_classes(net, "all", 1)
    path = tmp_path / "model.pt"
    torch.save({"model": net, "train_args": {}}, path)
    command = [sys.executable, "-I", "-c", PLAIN, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.split("\n")[-2] == "[] OrderedDict", done.stderr
    asked = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    assert not [name for name in asked if not name.startswith(("ultralytics.", "torch."))]
    file = io.BytesIO()
    torch.save(net.__dict__["_workbench"], file)
    file.seek(0)
    assert set(torch.load(file, weights_only=True)) == {"record"}


def test_save_strips_the_mark_and_load_prefers_what_the_network_itself_says(net, tmp_path):
    model = two_branches()
    model.model = net
    surgery.shift_classes(model, "all", 1)
    path = surgery.save(model, tmp_path / "first.pt")
    assert "_workbench" not in torch.load(path, weights_only=False)["model"].__dict__
    again = YOLO(str(path))  # keeps what else lies in the file
    assert surgery.history(again) == surgery.history(model)
    surgery.swap_classes(again, "P3", 1, 2)
    again.save(str(tmp_path / "second.pt"))
    opened = surgery.load(tmp_path / "second.pt")
    assert [edit.operation for edit in surgery.history(opened)] == ["shift_classes", "swap_classes"]
    assert [edit.operation for edit in surgery.history(surgery.load(path))] == ["shift_classes"]
    surgery.save(opened, tmp_path / "third.pt")
    assert surgery.history(surgery.load(tmp_path / "third.pt")) == surgery.history(opened)


def test_a_record_beside_a_network_with_other_rows_is_not_taken(tmp_path):
    model = two_branches()
    surgery.shift_classes(model, "all", 1)
    again = YOLO(str(surgery.save(model, tmp_path / "model.pt")))
    again.model = two_branches().model
    assert surgery.history(again) == ()
    assert surgery.certify(again).original is None


def test_a_long_history_is_kept_once_and_read_back(tmp_path):
    model = two_branches()
    surgery.bias_classes(model, "all", 0, 1.0)
    short = surgery.save(model, tmp_path / "short.pt").stat().st_size
    for _ in range(60):
        surgery.bias_classes(model, "all", 0, 1.0)
    path = surgery.save(model, tmp_path / "long.pt")
    weight = conv(model.model).weight
    assert path.stat().st_size < short + 60 * weight.numel() * weight.element_size()  # biases alone, not weights
    opened = surgery.load(path)
    assert surgery.history(opened) == surgery.history(model)
    assert len(surgery.reset(opened)) == 61
    surgery.reset(model)
    assert same(rows(opened.model), rows(model.model))


def test_a_record_of_an_earlier_version_is_completed(net):
    before = rows(net)
    surgery.shift_classes(net, "all", 1)
    surgery.zero_classes(net, "P3", 2)
    entry = pack(ledger(anatomy.describe(net)))
    del entry["after"]
    surgery.forget(net)
    ledger(anatomy.describe(net)).take(unpack(entry, anatomy.describe(net)))
    surgery.reset(net)
    assert same(rows(net), before)


def broken(change):
    """The entry itself, after a change in place."""

    def changed(entry):
        change(entry)
        return entry

    return changed


BROKEN = [
    (lambda e: [e], r"must be a mapping, but it is a list"),
    (broken(lambda e: e.pop("before")), r"lacks \['before'\]"),
    (broken(lambda e: e.update(edits=3)), r"'edits' in the record of edits must be a list, but it is a int"),
    (broken(lambda e: e["before"].pop()), r"must hold rows for each edit, but there are 1, 0, 1"),
    (broken(lambda e: e["edits"][0].update(operation="melt")), r"edit 0 of the record is none\. Operation 'melt'"),
    (broken(lambda e: e["edits"][0].update(levels=[7])), r"names the level 7, but there are 0 to 2"),
    (broken(lambda e: e["edits"][0].update(levels=[True])), r"edit 0 of the record is none\. .*but True"),
    (
        broken(lambda e: e["edits"][0].update(operation="mute_level", parameters={}, classes=[80])),
        r"class 80, but there are 0 to 79",
    ),
    (broken(lambda e: e["edits"][0].update(classes=[1])), r"is none\. .*must hold none"),
    (broken(lambda e: e["edits"][0].update(branches=[3])), r"edit 0 of the record is none"),
    (broken(lambda e: e["edits"][0].update(levels=["P3"])), r"names the level 'P3', but there are 0 to 2"),
    (broken(lambda e: e["edits"][0].update(levels=[1])), r"stand at .*'one2many', 0.* but the edit goes to"),
    (broken(lambda e: e["edits"].__setitem__(0, 5)), r"needs the fields"),
    (broken(lambda e: e["before"][0][0].__setitem__(2, torch.zeros(3, 3))), r"have the shapes .*but this head has"),
    (broken(lambda e: e["before"][0][0].__setitem__(3, None)), r"have the shapes"),
    (broken(lambda e: e["after"][0][0].__setitem__(2, "x")), r"are no tensors of real numbers"),
    (broken(lambda e: e["after"][0][0].__setitem__(1, 9)), r"level 9, which this head has not"),
    (broken(lambda e: e["after"].__setitem__(0, [])), r"those after it at \[\]"),
    (broken(lambda e: e["baseline"].clear()), r"lacks the original rows of"),
    (broken(lambda e: e["baseline"].__setitem__(0, [1, 2])), r"must each be \[branch, level, weight, bias\]"),
    (
        broken(lambda e: e["baseline"][0].__setitem__(2, e["baseline"][0][2].long())),
        r"are no tensors of real numbers",
    ),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_a_broken_record_is_named(net, change, message, tmp_path):
    surgery.shift_classes(net, "P3", 1)
    head = anatomy.describe(net)
    entry = change(pack(ledger(head)))
    with pytest.raises(ValueError, match=message):
        unpack(entry, head)
    twin = pickle.loads(pickle.dumps(net))
    twin.__dict__["_workbench"] = {"record": entry}
    with pytest.warns(UserWarning, match=r"left out.*history begins anew"):
        assert surgery.history(twin) == ()


def test_a_file_with_a_broken_record_is_refused(net, tmp_path):
    model = two_branches()
    surgery.shift_classes(model, "P3", 1)
    path = surgery.save(model, tmp_path / "model.pt")
    content = torch.load(path, weights_only=False)
    content["surgery"]["edits"][0]["levels"] = [9]
    torch.save(content, path)
    with pytest.raises(anatomy.CheckpointError, match=r"model\.pt' carries a record of edits that is broken.*level 9"):
        surgery.load(path)


def test_the_parameters_of_an_edit_are_frozen(net):
    order = list(range(80))[::-1]
    edit = surgery.permute_classes(net, "P3", order)
    order[0] = 5
    with pytest.raises(TypeError):
        edit.parameters["order"][0] = 5
    with pytest.raises(TypeError):
        edit.parameters["k"] = 5
    with pytest.raises(AttributeError, match=r"cannot be changed\. Make a new edit"):
        edit.parameters._values = {}
    with pytest.raises(FrozenInstanceError):
        edit.operation = "mute_level"
    told = edit.to_dict()
    told["parameters"]["order"][0] = 5
    assert edit.to_dict()["parameters"]["order"][0] == 79
    assert edit.parameters == {"order": list(range(80))[::-1]}
    assert surgery.Edit.from_dict(json.loads(json.dumps(edit.to_dict()))) == edit
    for twin in (copy.deepcopy(edit), pickle.loads(pickle.dumps(edit))):
        assert twin == edit
        assert hash(twin) == hash(edit)
    assert {edit: 1}[copy.copy(edit)] == 1
    assert edit != surgery.permute_classes(net, "P3", list(range(80)))
    assert "order=[79, 78, 77, 76, 75, 74, 73, 72, …]" in str(edit)
    assert repr(edit.parameters) == repr(edit.to_dict()["parameters"])
