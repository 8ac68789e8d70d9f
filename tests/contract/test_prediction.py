"""Laws 2 and 6: an edit reaches what predicts, and a replay is what a fresh prediction finds, bit for bit."""

import copy

import pytest
import torch

import anatomy
import surgery
from tests.contract.edits import edit_everything, single_edits
from tests.contract.rows import PICTURE


def same(ours, theirs) -> bool:
    return len(ours) == len(theirs) and all(torch.equal(*pair) for pair in zip(ours, theirs, strict=True))


def anew(model):
    """The detector with nothing left of earlier predictions: the slow way that needs no law."""
    if not hasattr(model, "predictor"):
        return copy.deepcopy(model)
    model.predictor = None  # Ultralytics then copies the network again
    return model


def test_a_trace_finds_what_the_detector_finds(family, model, trace):
    assert same(family.answer(trace.result), family.predict(model, PICTURE, family.args))
    assert len(trace.detections) == len(family.answer(trace.result)[0])


def test_law_2_edits_reach_predict_on_every_branch(edited, family, model):
    plain = family.predict(model, PICTURE, family.args)
    edit_everything(model, family)
    surgery.reset(model)
    assert same(family.predict(model, PICTURE, family.args), plain)
    surgery.shift_classes(model, "all", 1)
    surgery.bias_classes(model, "all", 0, 2.0)
    edited = family.predict(model, PICTURE, family.args)
    assert not same(edited, plain)
    assert same(family.predict(anew(model), PICTURE, family.args), edited)
    assert surgery.certify(model).in_step


@pytest.mark.parametrize("threads", [1, 2])
def test_law_6_replay_equals_predict(edited, family, model, threads):
    torch.set_num_threads(threads)
    trace = anatomy.trace(model, PICTURE, **family.args)
    plain = family.predict(model, PICTURE, family.args)
    assert same(family.answer(trace.result), plain)
    for name, edit in single_edits(model, family).items():
        edit()
        fresh = family.predict(model, PICTURE, family.args)
        replayed = trace.replay()
        assert same(family.answer(replayed.result), fresh), name
        assert len(replayed.detections) == len(fresh[0]), name
        assert same(family.answer(replayed.replay().result), fresh), name  # a replay can be replayed
    surgery.reset(model)
    assert same(family.answer(trace.replay().result), plain)


def test_law_6_a_replay_is_the_whole_trace(edited, family, model, trace):
    for name, edit in single_edits(model, family).items():
        with surgery.scratch(model):
            edit()
            fresh, replayed = anatomy.trace(model, PICTURE, **family.args), trace.replay()
            assert replayed.to_df().equals(fresh.to_df()), name
            assert all(torch.equal(*pair) for pair in zip(replayed.logits, fresh.logits, strict=True)), name
            assert not all(torch.equal(*pair) for pair in zip(trace.logits, fresh.logits, strict=True)), name
    assert trace.replay().to_df().equals(trace.to_df())


def test_a_muted_level_finds_nothing(edited, family, model, trace):
    if not family.shared:
        surgery.mute_level(model, 0)
        assert 0 not in trace.replay().detections.level
    surgery.mute_level(model, "all")
    assert len(trace.replay().detections) == 0
    assert len(family.predict(model, PICTURE, family.args)[0]) == 0


def test_zero_detections_have_a_whole_table(family, model, trace):
    none = anatomy.trace(model, PICTURE, **{**family.args, "conf": 1.0})
    assert none.to_df().shape[0] == 0
    assert none.to_df().schema == trace.to_df().schema
    assert len(none.replay().detections) == 0
    assert none.corners.shape == (0, 4, 2)
