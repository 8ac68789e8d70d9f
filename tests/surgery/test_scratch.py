"""Scratch: the network that was entered is as it was, whatever happened in the block, and wherever it was stopped."""

import copy
import gc
import sys

import pytest
import torch

import surgery
from tests.surgery.test_record import conv, rows, same, two_branches


@pytest.fixture(scope="module")
def made():
    torch.manual_seed(5)
    return two_branches().model


@pytest.fixture
def model(made):
    found = two_branches()
    found.model = copy.deepcopy(made)
    return found


def in_scratch(model, *actions) -> None:
    with surgery.scratch(model):
        for action in actions:
            action()


def fail():
    raise KeyError


@pytest.mark.parametrize("ends", ["normally", "with an error"])
def test_another_network_inside_is_left_alone_and_told(model, ends):
    first, second = model.model, two_branches().model
    surgery.shift_classes(model, "P3", 1)
    before, other = rows(first), rows(second)
    actions = [lambda: surgery.mute_level(model, "all"), lambda: setattr(model, "model", second)]
    if ends == "normally":
        with pytest.warns(surgery.RecordWarning, match=r"another network inside scratch.*put back on the network that"):
            in_scratch(model, *actions)
    else:
        with pytest.warns(surgery.RecordWarning, match="another network"), pytest.raises(KeyError):
            in_scratch(model, *actions, fail)
    assert same(rows(first), before)
    assert same(rows(second), other)
    assert surgery.history(model) == ()
    assert len(surgery.history(first)) == 1
    model.model = first
    assert len(surgery.history(model)) == 1
    surgery.undo(model)


def test_what_predict_runs_of_the_entered_network_is_put_back_as_well(model, picture):
    plain = model.predict(picture, imgsz=192, verbose=False, conf=0.001)[0].boxes.data
    predictor = model.predictor
    other = two_branches().model
    with pytest.warns(surgery.RecordWarning, match="another network"):
        in_scratch(model, lambda: surgery.mute_level(model, "all"), lambda: setattr(model, "model", other))
    assert torch.equal(predictor(picture)[0].boxes.data, plain)


def test_loading_weights_inside_puts_class_rows_back(model):
    before = rows(model.model)
    with surgery.scratch(model):
        model.load(two_branches().model)
    assert same(rows(model.model), before)


def test_casts_and_fusion_inside(model):
    before, plain = rows(model.model), copy.deepcopy(model.model)
    with surgery.scratch(model):
        surgery.shift_classes(model, "all", 1)
        model.model.half()
        with surgery.scratch(model):
            surgery.scale_classes(model, "P3", "all", 1.5)
            model.model.float()
    assert same(rows(model.model), before)
    with surgery.scratch(model):
        surgery.shift_classes(model, "all", 1)
        model.fuse(verbose=False)
        plain.fuse(verbose=False)
    assert same(rows(model.model), rows(plain))
    with surgery.scratch(model):
        surgery.mute_level(model, "all")
        model.model.half()
    assert conv(model.model).weight.dtype == torch.float16
    assert same(rows(model.model), {name: value.half() for name, value in rows(plain).items()})


def test_a_convolution_of_another_shape_inside_is_told_and_the_rest_put_back(model):
    before, other = rows(model.model), torch.nn.Conv2d(7, 80, 1)
    with pytest.warns(surgery.RecordWarning, match=r"of P3 \(one2many\) have another shape.*are not put back"):
        in_scratch(
            model,
            lambda: surgery.shift_classes(model, "all", 1),
            lambda: model.model.model[-1].cv3[0].__setitem__(-1, other),
        )
    after = rows(model.model)
    assert [name for name in before if before[name].shape != after[name].shape] == ["model.6.cv3.0.2.weight"]
    assert all(torch.equal(after[name], before[name]) for name in before if "cv3.0.2" not in name or "one2one" in name)


def test_the_record_is_as_it_was_also_after_forget_inside(model):
    surgery.shift_classes(model, "P3", 1)
    with surgery.scratch(model):
        surgery.forget(model)
        surgery.swap_classes(model, "P3", 1, 2)
    assert [edit.operation for edit in surgery.history(model)] == ["shift_classes"]
    surgery.undo(model)


class Interrupter:
    """Raises KeyboardInterrupt at each of the n-th steps of the code of the ledger, as Ctrl-C would."""

    def __init__(self, *steps: int):
        self.steps, self.count = set(steps), 0

    def __call__(self, frame, event, argument):
        if "/surgery/" not in frame.f_code.co_filename or "/tests/" in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        return self.step

    def step(self, frame, event, argument):
        if event == "opcode":
            self.count += 1
            if self.count in self.steps:
                raise KeyboardInterrupt
        return self.step


def interrupted(action, *steps: int) -> int:
    """Run the action with interruptions; returns how many steps it took. What was suspended is let go."""
    tracer = Interrupter(*steps)
    sys.settrace(tracer)
    try:
        action()
    except KeyboardInterrupt:
        assert steps
    finally:
        sys.settrace(None)
    gc.collect(0)
    return tracer.count


def block(model):
    with surgery.scratch(model):
        surgery.mute_level(model, "P3", branches="one2many")


@pytest.mark.parametrize("again", [0, 3, 40])
def test_an_interruption_at_any_step_leaves_everything_as_it_was(model, again):
    surgery.swap_classes(model, "P4", 1, 2)
    before = rows(model.model)
    steps = interrupted(lambda: block(model))
    assert steps > 500
    for step in range(1, steps + 1, 23):
        interrupted(lambda: block(model), step, step + again)
        assert same(rows(model.model), before), step
        assert len(surgery.history(model)) == 1


def test_an_interrupted_edit_or_undo_is_whole_or_not_at_all(model):
    surgery.swap_classes(model, "P4", 1, 2)
    before = rows(model.model)
    surgery.shift_classes(model, "P3", 1)
    after = rows(model.model)
    surgery.undo(model)
    edit, undo = (lambda: surgery.shift_classes(model, "P3", 1)), (lambda: surgery.undo(model))
    counts = [interrupted(edit), interrupted(undo)]
    for action, steps, start in ((edit, counts[0], before), (undo, counts[1], after)):
        for step in range(1, steps + 1, 31):
            if not same(rows(model.model), start):
                (undo if start is before else edit)()
            interrupted(action, step)
            count = len(surgery.history(model))
            assert same(rows(model.model), before if count == 1 else after), step
