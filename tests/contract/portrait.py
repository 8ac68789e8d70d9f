"""Everything of a network that an edit which was taken back, a refusal or a trace must leave as it was."""

from itertools import chain
from operator import attrgetter

import torch
from ultralytics.nn.modules import conv

import anatomy

# Ultralytics gives one activation to the networks of a whole process: whoever trains one of them sets its flag for all.
SHARED = {id(kind.default_act) for kind in vars(conv).values() if hasattr(kind, "default_act")}

hooks_of = attrgetter("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def portrait(model) -> dict:
    """Values, identities, flags, names, hooks."""
    head = anatomy.describe(model)
    modules = list(head.net.modules())
    parameters = list(chain.from_iterable(module._parameters.values() for module in modules))
    return {
        "values": {name: value.clone() for name, value in head.net.state_dict().items()},
        "modules": [id(module) for module in modules],
        "parameters": [(id(value), value.requires_grad) for value in parameters if value is not None],
        "training": [module.training for module in modules if id(module) not in SHARED],
        "names": dict(head.names),
        "hooks": [sum(map(len, hooks_of(module))) for module in modules],
    }


def changed_values(before: dict, after: dict) -> list[str]:
    """Names of the weights and buffers that differ in any bit."""
    assert before["values"].keys() == after["values"].keys()
    return [name for name, value in before["values"].items() if not torch.equal(value, after["values"][name])]


def assert_same(before: dict, after: dict) -> None:
    assert changed_values(before, after) == []
    for part in before.keys() - {"values"}:
        assert before[part] == after[part], part
