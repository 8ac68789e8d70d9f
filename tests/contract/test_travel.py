"""A trace of any family is pickled, copied and read without its model; what needs the model says so."""

import copy
import pickle

import numpy as np
import pytest

import diagnosis
from tests.contract.same_answers import same_answers

NEEDS = {
    "replay": (lambda far: far.replay(), r"replay\(\)"),
    "silenced": (lambda far: far.silenced(0), "replaying or silencing"),
    "recomputed": (lambda far: far.recomputed(), "running the network"),
    "targets": (lambda far: far.targets([[10, 12, 90, 60]], [0]), "assigning targets"),
    "attribute": (lambda far: diagnosis.attribute(far, 0), "running the network"),
    "net": (lambda far: far.head.net, "its network"),
}


def test_a_trace_travels_without_its_model(trace):
    assert len(trace.detections)
    travelled = pickle.loads(pickle.dumps(trace))
    assert same_answers(travelled, trace)
    assert travelled.rotated == trace.rotated and np.array_equal(travelled.corners, trace.corners)
    for ask, needed in NEEDS.values():
        with pytest.raises(RuntimeError, match=rf"travelled without its model.*{needed} needs.*Trace the image again"):
            ask(travelled)


def test_a_copied_trace_keeps_its_model(trace):
    copied = copy.deepcopy(trace)
    assert same_answers(copied, trace)
    assert same_answers(copied.replay(), trace)
    assert same_answers(copy.copy(trace).replay(), trace)
    assert copied.head is trace.head
    assert not np.shares_memory(copied.image, trace.image)
    assert copied.logits[0].data_ptr() != trace.logits[0].data_ptr()
