"""What travels of a trace: its tensors at rest, and what its head would be asked for, without the network."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..head.at_rest import at_rest
from ..head.forward import Limits, Pass
from ..head.head import Head
from ..head.letterbox import Letterbox
from ..head.pyramid import Pyramid


def recorded(head: Head, pass_: Pass) -> tuple["RecordedHead", Pass]:
    """The head and the pass of a trace as they travel: without the network and what is private to its family."""
    if isinstance(head, RecordedHead):
        return head, pass_
    parts = ("features", "rows", "logits", "box_logits", "boxes", "anchors", "result", "frame", "inputs", "refined")
    parts += ("chosen",)
    rested = {name: at_rest(getattr(pass_, name)) for name in parts}
    if pass_.features is pass_.inputs:
        rested["features"] = rested["inputs"]
    return RecordedHead(head, pass_), pass_.evolve(private=None, **rested)


def travelled(what: str) -> RuntimeError:
    """The error of a trace that is asked for something that only its model can tell."""
    return RuntimeError(
        f"This trace travelled without its model (it was pickled), which {what} needs. Trace the image again: "
        "anatomy.trace(model, trace.image[..., ::-1])."
    )


def _needs_model(name: str) -> Callable[..., Any]:
    """A method that tells that it needs the model."""

    def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise travelled(name)

    return refuse


class RecordedHead(Head):
    """What the head of one pass answered, for a trace that travels. Raises RuntimeError for all that needs the network.

    Kept: levels, names, branches and the numbers of the head; letterbox, pyramid and limits of the pass; the boxes of
    all anchors (A, 4), the corners of detections; scores and objectness where the family has its own.
    """

    def __init__(self, head: Head, run: Pass):
        self.names, self.levels, self.branches = dict(head.names), head.levels, head.branches
        self.reg_max, self.grid_offset, self.no_rows = head.reg_max, head.grid_offset, head.no_rows
        self.anchors_per_cell, self.background = head.anchors_per_cell, head.background
        self.chooses = head.chooses
        self._letterbox, self._limits = head.letterbox(run), head.limits(run)
        self.rotated, self._pyramid = head.rotated, head.pyramid(run)
        self._xyxy = at_rest(head.xyxy(run, torch.arange(self._pyramid.count, device=run.boxes.device)))
        self._corners = at_rest(head.corners(run))
        self._level_shares = at_rest(head.level_shares(run))
        own = {name: getattr(type(head), name) is not getattr(Head, name) for name in ("scores", "objectness")}
        self._scores = at_rest(head.scores(run)) if own["scores"] else None
        self._objectness = at_rest(head.objectness(run)) if own["objectness"] else None

    def xyxy(self, run: Pass, anchors: Tensor) -> Tensor:
        """Boxes of these anchors (n, 4) xyxy px of the network input, as they were decoded."""
        return self._xyxy[anchors]

    def scores(self, run: Pass) -> Tensor:
        """As the head gave them, (nc, anchors) in [0, 1]."""
        return super().scores(run) if self._scores is None else self._scores

    def objectness(self, run: Pass) -> tuple[Tensor, ...]:
        """As the head gave it, (h, w) a level in [0, 1]."""
        return super().objectness(run) if self._objectness is None else self._objectness

    def letterbox(self, run: Pass) -> Letterbox:
        """How the original lay in the network input."""
        return self._letterbox

    def steps(self, run: Pass) -> tuple[tuple[float, float], ...]:
        """From one anchor point to the next, (x, y) px a level."""
        return self._pyramid.steps

    def pyramid(self, run: Pass) -> Pyramid:
        """Where the anchors of the pass lay."""
        return self._pyramid

    def corners(self, run: Pass) -> Tensor:
        """The corners of the detections, (n, 4, 2) xy px of the original."""
        return self._corners

    def level_shares(self, run: Pass) -> Tensor | None:
        """Of each detection the share of each level in each decoder layer, as the head gave it."""
        return self._level_shares

    def limits(self, run: Pass) -> Limits:
        """What the pass was asked for."""
        return self._limits

    net: Any = property(_needs_model("its network"))
    running: Any = net
    class_conv = twins = classified = _needs_model("reading class rows")
    finish = _needs_model("replaying or silencing")
    passes, candidates, found = _needs_model("a pass"), _needs_model("selection"), _needs_model("selection")
    targets = _needs_model("assigning targets")
    undisturbed = forward = level_outputs = level_boxes = _needs_model("running the network")
    parts, checkpoint = _needs_model("naming its parts"), _needs_model("a checkpoint")
