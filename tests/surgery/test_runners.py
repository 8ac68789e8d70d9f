"""Edits reach every copy that predictors run, whoever made them and when; and what cannot be known is said."""

import copy
import gc
import weakref
from functools import partial

import pytest
import torch
from ultralytics import YOLO
from ultralytics.models.yolo.detect import DetectionPredictor

import anatomy
import surgery
from tests.ultralytics_nets import narrow, small

CLASSES = 10
ARGS = {"imgsz": 192, "conf": 0.25, "verbose": False}


@pytest.fixture
def build():
    """Small networks in place of those as published: here they are copied, run and looked for many times."""
    return partial(small, classes=CLASSES, bodiless=True)


def empty() -> YOLO:
    """A YOLO object of such a network with random weights."""
    return narrow("yolov8n", CLASSES, bodiless=True)


@pytest.fixture
def fresh(build, picture):
    """A YOLO object that the workbench has not seen yet."""
    return build("yolov8n", picture)


def boxes(model, picture) -> torch.Tensor:
    return model.predict(picture, **ARGS)[0].boxes.data


def by_hand(net) -> DetectionPredictor:
    """A predictor made without a YOLO object."""
    predictor = DetectionPredictor(overrides={**ARGS, "save": False, "mode": "predict", "rect": True, "batch": 1})
    predictor.setup_model(net, verbose=False)
    return predictor


def answer(predictor, picture) -> torch.Tensor:
    return predictor(picture)[0].boxes.data


def around(net) -> YOLO:
    """Another YOLO object around a network."""
    model = empty()
    model.model = net
    return model


def truth(net, picture) -> torch.Tensor:
    """What a predictor makes of the network that was made from it just now."""
    return answer(by_hand(copy.deepcopy(net)), picture)


def assert_follows(ask, model, picture) -> None:
    """``ask()`` answers as the network is after an edit, after undo, within scratch and behind it."""
    net = anatomy.describe(model).net
    plain = ask()
    surgery.shift_classes(model, "all", 1)
    surgery.bias_classes(model, "P4", 0, 2.0)
    moved = ask()
    assert not torch.equal(moved, plain)
    assert torch.equal(moved, truth(net, picture))
    assert surgery.certify(model).in_step
    surgery.undo(model)
    assert torch.equal(ask(), truth(net, picture))
    with surgery.scratch(model):
        surgery.mute_level(model, "all")
        assert len(ask()) == 0
    assert torch.equal(ask(), truth(net, picture))
    surgery.reset(model)
    assert torch.equal(ask(), plain)
    assert surgery.certify(model).in_step


def test_a_bare_network_that_was_described_first_and_then_given_to_a_yolo_object(fresh, picture):
    net = copy.deepcopy(fresh.model)  # nobody holds it
    anatomy.levels(net)
    model = around(net)
    boxes(model, picture)
    assert_follows(lambda: boxes(model, picture), net, picture)


def test_two_yolo_objects_share_a_network(fresh, picture):
    other = around(fresh.model)
    boxes(other, picture)
    boxes(fresh, picture)
    assert_follows(lambda: boxes(other, picture), fresh, picture)
    assert_follows(lambda: boxes(fresh, picture), other, picture)
    late = around(fresh.model)
    surgery.shift_classes(fresh, "all", 1)
    assert torch.equal(boxes(late, picture), truth(fresh.model, picture))
    surgery.shift_classes(other, "all", 1)
    for model in (fresh, other, late):
        assert torch.equal(boxes(model, picture), truth(fresh.model, picture))
        assert len(surgery.history(model)) == 2


def test_an_owner_is_deleted_and_another_made(build, picture):
    fresh = build("yolov8n", picture)
    net = fresh.model
    boxes(fresh, picture)
    surgery.shift_classes(net, "all", 1)
    surgery.reset(net)
    del fresh
    gc.collect()
    model = around(net)
    boxes(model, picture)
    assert_follows(lambda: boxes(model, picture), net, picture)


@pytest.mark.parametrize("when", ["before it is described", "after"])
def test_a_predictor_made_by_hand(fresh, picture, when):
    if when == "after":
        anatomy.levels(fresh)
    predictor = by_hand(fresh.model)
    assert_follows(lambda: answer(predictor, picture), fresh, picture)


def test_a_predictor_of_the_bare_network(fresh, picture):
    net = copy.deepcopy(fresh.model)
    plain = anatomy.trace(net, picture, **{**ARGS, "conf": 0.1})
    surgery.shift_classes(net, "all", 1)
    assert not torch.equal(anatomy.trace(net, picture, imgsz=192, conf=0.1).result.boxes.data, plain.result.boxes.data)
    assert surgery.certify(net).in_step


def test_an_equal_network_is_not_edited_along(fresh, picture):
    other = empty()
    other.model.load_state_dict(fresh.model.state_dict())
    plain = boxes(other, picture)
    boxes(fresh, picture)
    surgery.shift_classes(fresh, "all", 1)
    assert torch.equal(boxes(other, picture), plain)
    assert surgery.certify(fresh).in_step
    assert surgery.certify(other).in_step


def test_a_predictor_of_unclear_source_is_left_alone_and_told(fresh, picture):
    other = copy.deepcopy(fresh.model)
    predictor = by_hand(other)  # nothing tells afterwards which of two equal networks it was made of
    plain = answer(predictor, picture)
    assert surgery.certify(fresh).in_step
    surgery.shift_classes(fresh, "P3", 1)
    assert torch.equal(answer(predictor, picture), plain)
    found = surgery.certify(fresh)
    assert not found.in_step
    assert found.behind == (
        "a predictor made by hand, of this network or of another with the same rows runs other rows at P3 (one2many)",
    )


def test_a_network_that_nobody_holds_leaves_no_predictor_unclear(fresh, picture):
    gone = copy.deepcopy(fresh.model)
    gone.itself = [gone]  # a circle, which reference counts alone never free
    predictor = by_hand(fresh.model)
    del gone
    surgery.shift_classes(fresh, "P3", 1)
    assert surgery.certify(fresh).in_step
    assert torch.equal(answer(predictor, picture), truth(fresh.model, picture))


def test_a_predictor_of_the_network_before_is_replaced_at_the_next_edit(build, fresh, picture):
    boxes(fresh, picture)
    surgery.shift_classes(fresh, "all", 1)
    fresh.model = build("yolov8n", picture, seed=1).model
    found = surgery.certify(fresh)
    assert not found.in_step
    assert "a YOLO object, of another network or of this one before it changed runs other rows at P3" in str(found)
    surgery.shift_classes(fresh, "all", 1)
    assert torch.equal(boxes(fresh, picture), truth(fresh.model, picture))
    assert surgery.certify(fresh).in_step


def test_rows_that_were_changed_by_hand_before_the_first_look_are_predicted_after_an_edit(fresh, picture):
    boxes(fresh, picture)
    with torch.no_grad():
        fresh.model.model[-1].cv3[0][-1].bias += 1
    assert not surgery.certify(fresh).in_step
    surgery.shift_classes(fresh, "P5", 1)
    assert torch.equal(boxes(fresh, picture), truth(fresh.model, picture))


@pytest.mark.parametrize("hand", [False, True])
def test_in_step_is_false_when_the_copy_was_changed_by_hand(fresh, picture, hand):
    anatomy.levels(fresh)
    predictor = by_hand(fresh.model)
    boxes(fresh, picture)
    running = (predictor if hand else fresh.predictor).model.backend.model
    assert surgery.certify(fresh).in_step
    with torch.inference_mode():
        running.model[-1].cv3[1][-1].bias[7] += 1
    found = surgery.certify(fresh)
    assert found.in_step is False
    who = "a predictor made by hand" if hand else "a YOLO object"
    assert found.behind == (f"{who} runs other rows at P4 (one2many)",)
    assert f"predict() runs these rows: NO: {who} runs other rows at P4 (one2many)" in str(found)


def test_a_copy_that_a_trace_alone_keeps_does_not_count(fresh, picture):
    trace = anatomy.trace(fresh, picture, imgsz=192)
    fresh.load(empty().model)
    boxes(fresh, picture)
    assert surgery.certify(fresh).in_step
    assert trace.levels


def test_a_copy_in_another_precision_is_in_step(fresh, picture):
    anatomy.levels(fresh)
    predictor = by_hand(fresh.model)
    predictor.model.backend.model.half()
    assert surgery.certify(fresh).in_step
    surgery.scale_classes(fresh, "all", "all", 1.1)
    assert surgery.certify(fresh).in_step
    fresh.model.half()  # the network itself, not through the YOLO object
    assert surgery.certify(fresh).in_step


def test_nothing_is_kept_alive(build, picture):
    fresh = build("yolov8n", picture)
    anatomy.levels(fresh)
    predictor = by_hand(fresh.model)
    boxes(fresh, picture)
    surgery.shift_classes(fresh, "all", 1)
    running = [weakref.ref(entry.model.backend.model) for entry in (predictor, fresh.predictor)]
    net, model = weakref.ref(fresh.model), weakref.ref(fresh)
    del predictor
    fresh.predictor = None
    gc.collect()
    assert [entry() for entry in running] == [None, None]
    assert surgery.certify(fresh).in_step
    del fresh
    gc.collect()
    assert (net(), model()) == (None, None)


def test_inference_tensors_are_copied_twice_and_still_reached(fresh, picture):
    anatomy.levels(fresh)
    with torch.inference_mode():
        predictor = by_hand(copy.deepcopy(fresh.model))
    model = around(fresh.model)
    with torch.inference_mode():
        boxes(model, picture)
    assert_follows(lambda: boxes(model, picture), fresh, picture)
    assert predictor.model is not None


def test_a_recipe_that_fails_leaves_a_predictor_with_the_rows_it_had(fresh, picture):
    fresh.predict(picture, **ARGS)
    anatomy.levels(fresh)
    theirs = fresh.predictor.model.backend.model.model[-1].cv3[0][-1]
    with torch.no_grad():
        theirs.bias[3] += 1  # by hand, in the predictor alone
    before = theirs.weight.clone(), theirs.bias.clone()
    recipe = [
        surgery.Edit("shift_classes", (0,), parameters={"k": 1}),
        surgery.Edit("scale_classes", (0,), (0,), {"factor": 1e39}),
    ]
    with pytest.raises(ValueError, match="infinite"):
        surgery.apply(fresh, recipe)
    assert torch.equal(theirs.weight, before[0])
    assert torch.equal(theirs.bias, before[1])
    assert not surgery.certify(fresh).in_step
    assert surgery.history(fresh) == ()


def test_a_first_look_that_is_interrupted_is_done_again(fresh, picture, monkeypatch):
    predictor, bare = by_hand(fresh.model), copy.deepcopy(fresh.model)
    from anatomy.families.ultralytics import runners

    def interrupted(net, mark, kinds):
        look(net, mark, kinds)
        raise KeyboardInterrupt

    look = runners.look_around
    monkeypatch.setattr(runners, "look_around", interrupted)
    with pytest.raises(KeyboardInterrupt):
        anatomy.levels(fresh)
    assert vars(fresh.model).keys() == vars(bare).keys()  # nothing is left of it
    monkeypatch.undo()
    del bare
    assert_follows(lambda: answer(predictor, picture), fresh, picture)
