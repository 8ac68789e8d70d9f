"""Small heads for the tests of whole classes, and all of a network that such an edit must bring back."""

from functools import cache

import torch

import anatomy
from tests.contract.rows import PICTURE
from tests.ultralytics_nets import small

NAMES = ("ball", "box", "star", "ring", "cone", "cube")
ARGS = {"imgsz": 128, "conf": 0.05}


@cache
def head_of(name: str, seed: int = 0):
    """A YOLO object whose head detects six classes, made once; whoever edits it takes it back."""
    made = small(name, PICTURE, len(NAMES), seed=seed, bodiless=True)
    made.model.names = dict(enumerate(NAMES))
    return made


def looked_at(model) -> anatomy.Trace:
    return anatomy.trace(model, PICTURE, **ARGS)


def portrait(model) -> tuple:
    """Numbers, the very modules and parameters, and everything that says how many classes there are."""
    net = model.model
    numbers = {name: value.clone() for name, value in net.state_dict().items()}
    identities = [id(part) for part in (*net.modules(), *net.parameters())]
    state = [(value.requires_grad, module.training) for module in net.modules() for value in module.parameters()]
    return numbers, (identities, state, dict(net.names), net.yaml["nc"], net.model[-1].nc, net.model[-1].no)


def assert_same(before: tuple, after: tuple) -> None:
    assert before[1] == after[1]
    assert before[0].keys() == after[0].keys()
    assert [name for name, value in before[0].items() if not torch.equal(value, after[0][name])] == []
