"""What is refused, and what is cut short, leaves everything as it was."""

import pytest

import anatomy
import surgery
from anatomy import SelectionError, UnsupportedModelError
from anatomy.families.ultralytics import class_parts
from surgery import Edit
from tests.contract.rows import PICTURE
from tests.corner_net import CornerNet
from tests.surgery.structure.heads import ARGS, NAMES, assert_same, head_of, looked_at, portrait
from tests.torchvision_nets import tiny
from tests.ultralytics_nets import small


def rows_of(*entry) -> Edit:
    """An edit of a recipe that adds a class with one row."""
    return Edit("add_class", (), (), {"names": ["a"], "rows": [list(entry)]})


REFUSED = [
    (lambda y: surgery.keep_classes(y, []), SelectionError, "At least one class must be kept, but none was given"),
    (
        lambda y: surgery.keep_classes(y, [1, "box"]),
        SelectionError,
        r"1 \(box\) was named twice\. Leave out the second",
    ),
    (lambda y: surgery.keep_classes(y, [6]), SelectionError, "Class 6 is out of range: this head has classes 0 to 5"),
    (lambda y: surgery.keep_classes(y, {1, 2}), TypeError, r"a sequence of ids or names, in an order, but \{1, 2\}"),
    (lambda y: surgery.keep_classes(y, None), TypeError, "but None"),
    (lambda y: surgery.rename_classes(y, {"ball": "box"}), ValueError, "name of its own, but 'box' would stand twice"),
    (lambda y: surgery.rename_classes(y, {"ball": " "}), ValueError, "printable and not empty, but ' ' was given"),
    (lambda y: surgery.rename_classes(y, {"ball": 7}), TypeError, r"text as its name, but 7 \(int\)"),
    (lambda y: surgery.rename_classes(y, {0: "a", "ball": "b"}), SelectionError, r"0 \(ball\) was named twice"),
    (lambda y: surgery.rename_classes(y, {}), ValueError, "At least one class must get another name"),
    (lambda y: surgery.rename_classes(y, ["a", "b"]), TypeError, r"a mapping \{old: new\}"),
    (lambda y: surgery.merge_classes(y, {}), ValueError, "At least one group of classes is needed"),
    (lambda y: surgery.merge_classes(y, {"a": []}), ValueError, "The group 'a' has no classes"),
    (lambda y: surgery.merge_classes(y, {"a": [0, 1], "b": [1, 2]}), SelectionError, r"1 \(box\) was named twice"),
    (lambda y: surgery.merge_classes(y, {"star": [0, 1]}), ValueError, "'star' would stand twice"),
    (lambda y: surgery.merge_classes(y, {"a": [0, 1]}, how="max"), ValueError, "how must be 'highest', 'mean' or 'fi"),
    (lambda y: surgery.merge_classes(y, [0, 1]), TypeError, r"Groups are a mapping \{new name: \[classes\]\}"),
    (lambda y: surgery.add_class(y, "ball", from_=1), ValueError, "'ball' would stand twice"),
    (lambda y: surgery.add_class(y, "disc", from_="no"), SelectionError, "Class 'no' does not exist"),
    (lambda y: surgery.stack_heads(y, y), ValueError, "cannot be put beside itself"),
    (lambda y: surgery.stack_heads(y, CornerNet()), ValueError, "Heads of one family can be stacked, but"),
    (
        lambda y: surgery.permute_classes(y, "P3", {0: 1, 1: 0}, names=True),
        ValueError,
        r"permute_classes changes names, which are the same for all levels and branches, but levels=\[0\]",
    ),
    (lambda y: surgery.permute_classes(y, "all", [0, 1, 2], names=True), ValueError, "each of the 6 classes"),
    (
        lambda y: surgery.permute_classes(y, "all", {0: 1, 1: 0}, names=True, branches="one2one"),  # which it has not
        ValueError,
        r"branches=\['one2one'\] were given\. Give level='all' and no branches",
    ),
    (
        lambda y: surgery.apply(y, Edit("keep_classes", (0,), (), {"kept": [[0, "ball"]]})),
        ValueError,
        "keep_classes: levels must hold none, but 1 were given",
    ),
    (
        lambda y: surgery.apply(y, Edit("keep_classes", (), (), {"kept": [[0, "bell"]]})),
        SelectionError,
        "The edit is about class 0, 'bell', but here that class is 'ball'",
    ),
    (
        lambda y: surgery.apply(y, Edit("stack_heads", (), (), {"names": ["a"], "donor": "f0", "boxes": "b"})),
        ValueError,
        r"puts the classes a of another model beside, which is not among the 0 given.*Give it as others=",
    ),
    (
        lambda y: surgery.apply(y, Edit("add_class", (), (), {"names": ["a"], "rows": [["one2many", 0, [1.0], 0.0]]})),
        ValueError,
        "The rows of the new class lack",
    ),
    (
        lambda y: surgery.apply(y, Edit("stack_heads", (), (), {"names": [1], "donor": "f0", "boxes": "b"})),
        ValueError,
        "puts the classes 1 of another model beside",
    ),
    (lambda y: surgery.apply(y, rows_of("one2many", 3, [1.0], 0.0)), ValueError, "but this head has 3 levels"),
    (lambda y: surgery.apply(y, rows_of("one2many", 0, [1.0], "x")), ValueError, "and its biases, must be numbers"),
    (lambda y: surgery.apply(y, rows_of("one2many", 0, [10**400], 0.0)), ValueError, "must be numbers"),
    (lambda y: surgery.apply(y, rows_of(["one2many"], 0, [1.0], 0.0)), ValueError, "a name, an id, a list"),
    (lambda y: surgery.apply(y, Edit("keep_classes", (), (), {})), ValueError, "needs the parameter 'kept'"),
    (lambda y: surgery.prototype(y, []), ValueError, "at least one labelled box"),
    (lambda y: surgery.prototype(y, [], method="svm"), ValueError, "method must be 'ridge' or 'mean'"),
]


@pytest.mark.parametrize(("change", "kind", "message"), REFUSED)
def test_what_is_refused_changes_nothing(change, kind, message):
    model = head_of("yolov8n")
    before = portrait(model)
    with pytest.raises(kind, match=message):
        change(model)
    assert_same(before, portrait(model))
    assert surgery.history(model) == ()


def test_a_recipe_is_all_or_nothing():
    model = head_of("yolov8n")
    looked_at(model)
    before = portrait(model)
    recipe = [
        Edit("bias_classes", (0,), (1,), {"delta": 1.0}),
        Edit("merge_classes", (), (), {"groups": [["pair", [[0, "ball"], [1, "box"]]]], "how": "highest"}),
        Edit("keep_classes", (), (), {"kept": [[9, "none"]]}),
    ]
    with pytest.raises(SelectionError):
        surgery.apply(model, recipe)
    assert_same(before, portrait(model))
    assert surgery.history(model) == () and surgery.certify(model).in_step


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("step", ["_name", "_give_extras", "_give_rows", "rows_written"])
def test_an_edit_that_is_cut_short_leaves_no_trace(monkeypatch, step, error):
    model = head_of("yolo26n-seg")
    looked_at(model)
    before, calls = portrait(model), []

    def fail(*args, **kwargs):
        calls.append(step)
        if len(calls) == 1:
            raise error
        return genuine(*args, **kwargs)

    if step == "rows_written":
        monkeypatch.setattr(surgery.structure.applying, "all_rows", fail_second(error))
    else:
        genuine = getattr(class_parts, step)
        monkeypatch.setattr(class_parts, step, fail)
    with pytest.raises(error):
        surgery.merge_classes(model, {"pair": ["ball", "star"]})
    monkeypatch.undo()
    assert_same(before, portrait(model))
    assert surgery.history(model) == () and surgery.certify(model).in_step
    assert looked_at(model).names == dict(enumerate(NAMES))


def fail_second(error):
    """``all_rows`` that fails when it is asked for what the edit left, with everything done."""
    genuine, calls = surgery.structure.applying.all_rows, []

    def all_rows(head):
        calls.append(head)
        if len(calls) == 2:
            raise error
        return genuine(head)

    return all_rows


def test_scratch_brings_back_classes_however_it_ends():
    model = head_of("yolov8n")
    looked_at(model)
    before = portrait(model)
    with pytest.raises(ZeroDivisionError):
        edit_and_fail(model)
    assert_same(before, portrait(model))
    assert surgery.certify(model).in_step and len(looked_at(model).names) == 6


def edit_and_fail(model):
    with surgery.scratch(model):
        surgery.keep_classes(model, ["star", "ring"])
        surgery.bias_classes(model, "P3", "ring", 1.0)
        with surgery.scratch(model):
            surgery.reset(model)
            surgery.merge_classes(model, {"pair": ["ball", "star"]})
        assert list(model.names.values()) == ["star", "ring"] and len(surgery.history(model)) == 2
        raise ZeroDivisionError


def test_a_copy_with_a_branch_that_was_fused_away_is_made_anew():
    model = small("yolo26n", PICTURE, len(NAMES), seed=5, bodiless=True)
    model.model.names = dict(enumerate(NAMES))
    anatomy.trace(model, PICTURE, nms=False, **ARGS)
    model.model.fuse(verbose=False)  # takes the one-to-one branch away
    surgery.keep_classes(model, ["ring", "star"])
    assert surgery.certify(model).in_step and looked_at(model).names == {0: "ring", 1: "star"}
    surgery.undo(model)
    assert surgery.certify(model).in_step and looked_at(model).names == dict(enumerate(NAMES))


@pytest.mark.parametrize("change", [surgery.keep_classes, lambda net, ids: surgery.merge_classes(net, {"a": ids})])
def test_a_family_that_does_not_say_how_is_refused(change):
    for net in (CornerNet(), tiny("fcos", min_size=64, max_size=64)):
        with pytest.raises(UnsupportedModelError, match=r"does not say how its classes are made others.*give_classes"):
            change(net, [0, 1])
        assert surgery.history(net) == ()
