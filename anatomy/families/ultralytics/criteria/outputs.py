"""What a head makes of one pass in training: of the branch that ran, or of the other, with all that its losses read."""

from typing import Any

import torch
from torch import Tensor

from ....head.evaluating import evaluation_mode
from ....head.forward import Pass
from ..declared import DetectHead
from ..tap import overridden

Raw = dict[str, Any]


def pass_outputs(run: Pass, device: torch.device) -> Raw:
    """Boxes and scores as the pass has them."""
    logits = torch.cat([level.flatten(1) for level in run.logits], 1)[None]
    return {
        "boxes": run.box_logits[None].to(device, torch.float32).clone(),
        "scores": logits.to(device, torch.float32),
        "feats": [level.to(device) for level in run.features],
    }


@torch.no_grad()
def head_outputs(head: DetectHead, run: Pass, branch: str) -> Raw:
    """The outputs of a branch on the feature maps of a pass, by the head's weights as they are.

    Normalizations are those of evaluation; what heads put out in training alone (spreads of key points, classes of
    pixels) is there. Boxes and scores are those of the pass where it ran this branch.
    """
    weight = next(head.parameters())
    inputs = [level.to(weight) for level in run.inputs]
    with evaluation_mode(head), overridden(head, training=True):
        raw = head.forward_head(inputs, **getattr(head, branch))
        proto = getattr(head, "proto", None)
        if proto is not None:
            with overridden(proto, training=True):
                raw["proto"] = proto(inputs if hasattr(proto, "feat_refine") else inputs[0])
    if branch == run.branch:
        seen = pass_outputs(run, weight.device)
        raw |= {name: seen[name] for name in ("boxes", "scores")}
    return {name: _as_float(value) for name, value in raw.items()}


def _as_float(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float().clone()
    return type(value)(map(_as_float, value))
