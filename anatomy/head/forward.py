"""What one forward pass leaves behind, and what is asked of it: plain values that every family fills."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..shown import Record
from .at_rest import PickledAtRest
from .letterbox import Letterbox


@dataclass(frozen=True, repr=False)
class Candidates(Record):
    """The anchors that stood for selection, in the order in which non-maximum suppression (NMS) saw them.

    ``anchor`` and ``class_id`` (m,) int64, ``confidence`` (m,) in [0, 1], ``boxes`` (m, 4) xyxy or (m, 5) xywhr, px of
    the network input, without gradient. ``shift`` (px) is added per class id so that classes do not meet, as the source
    does it; None: boxes stay, and each class is taken alone. ``pairwise_iou`` takes two such box sets. ``chained``: a
    box that was itself removed still removes others (Fast NMS, https://arxiv.org/abs/1904.02689); otherwise NMS is
    greedy. ``survivors`` (k,) are the rows that NMS kept, best first, within its limit; None: those of the detections.
    """

    anchor: Tensor
    class_id: Tensor
    confidence: Tensor
    boxes: Tensor
    iou_threshold: float
    shift: float | None
    pairwise_iou: Callable[[Tensor, Tensor], Tensor]
    chained: bool = False
    survivors: Tensor | None = None


@dataclass(frozen=True, repr=False)
class Limits(Record):
    """What the selection of a pass was asked for; None where the head does not say.

    ``conf`` the least confidence, ``classes`` the ids allowed (None: all), ``most`` the largest number of detections.
    ``every_class``: an anchor can be detected as each class that exceeds ``conf``, and not as its likeliest alone.
    """

    conf: float | None = None
    classes: tuple[int, ...] | None = None
    most: int | None = None
    every_class: bool = False


@dataclass(frozen=True, repr=False)
class Targets(PickledAtRest, Record):
    """What the family's own training makes of one pass and n labelled objects; A anchors, no gradient.

    ``object`` (A,) int64: the object whose positive a cell is, -1 for background; ``score`` (A,) what its class row is
    trained towards, in [0, 1]. Of every object with every cell, (n, A): ``inside``, may this cell be chosen at all;
    ``alignment`` the measure that ranks cells; ``overlap`` its IoU part; ``picked``, among the best before cells
    wanted by several objects were settled. ``losses``: (A,) each by name, with the family's gains; their sums are its
    loss items. ``settings``: the assigner's own, by name.

    ``branch`` whose training it is, "" where there is one; ``logits`` (nc, A) of it, None where they are those of the
    pass; ``spared`` (n,) bool: objects that training leaves out, None for none; ``unplaced``: what a loss item holds
    beside the cells; ``left_out``: the items that could not be had of these objects, each with the reason.
    """

    object: Tensor
    score: Tensor
    inside: Tensor
    alignment: Tensor
    overlap: Tensor
    picked: Tensor
    losses: Mapping[str, Tensor]
    settings: Mapping[str, float]
    branch: str = ""
    spared: Tensor | None = None
    logits: Tensor | None = None
    unplaced: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Outputs(Record):
    """What the network makes of a batch, differentiable. Made by ``Head.forward``.

    ``inputs`` (B, c, h, w) a level: the feature maps that the head reads, as the neck left them; ``logits``
    (B, nc, h, w) and ``raw`` (B, r, h, w) a level: class logits and box outputs, as ``Head.level_outputs`` makes them.
    """

    inputs: tuple[Tensor, ...]
    logits: tuple[Tensor, ...]
    raw: tuple[Tensor, ...]


def peak(logits: Tensor) -> Tensor:
    """The largest class logit of each cell, (nc, h, w) -> (h * w,)."""
    return logits.flatten(1).amax(0)


@dataclass(frozen=True)
class Refined(PickledAtRest):
    """What a second stage made of the k anchors whose proposals it pooled; all others have no class of their own.

    ``anchor`` (k,) int64, distinct; ``boxes`` (k, nc, 4) xyxy px of the network input, one for each class, unclipped;
    ``pooled`` (k,) int64: the level from whose feature map each was pooled.
    """

    anchor: Tensor
    boxes: Tensor
    pooled: Tensor

    def rows(self, anchors: Tensor) -> Tensor:
        """(n,) the row here of each of these anchors, -1 for one that was not pooled."""
        if not len(self.anchor):
            return torch.full_like(anchors, -1)
        order = self.anchor.argsort()
        place = torch.searchsorted(self.anchor[order], anchors).clamp(max=len(order) - 1)
        found = order[place]
        return torch.where(self.anchor[found] == anchors, found, -1)


@dataclass(frozen=True, repr=False)
class Pass(Record):
    """What one forward pass of one image left behind. Tensors stay on the model's device and carry no gradient.

    ``frame`` is the network input (1, 3, H, W), ``inputs`` the feature maps that the head reads, (1, c, h, w) a level:
    None and empty where a family does not keep them. ``features`` are the inputs of the class convolutions, ``rows``
    their (weight, bias) as they were; ``logits`` (rows, h, w) a level before the sigmoid, one for each class row;
    ``box_logits`` (4 * reg_max, A); ``boxes`` (4, A) decoded, in px of the network input, in the head's own form;
    ``anchors`` (n,) the flat index that made each detection of ``result``, in its order; ``result`` the family's own
    result object. ``private`` belongs to the family alone. ``letterbox`` where the image was put into the
    input otherwise than ``predict()`` does it, as validation does. ``refined`` where a second stage classifies some
    anchors and moves their boxes: then ``boxes`` are the proposals, ``features`` the maps that it pools from, and the
    logits of an anchor that was not pooled are silent. ``chosen`` (q,) int64:
    the anchors that the class rows were asked about, in the network's order, where it chose some of all; the logits of
    the others are ``SILENT_LOGIT``, and their features 0.
    """

    path: str
    original: np.ndarray  # (H, W, 3) uint8, BGR
    input_shape: tuple[int, int]
    branch: str
    features: tuple[Tensor, ...]
    rows: tuple[tuple[Tensor, Tensor | None], ...]
    logits: tuple[Tensor, ...]
    box_logits: Tensor
    boxes: Tensor
    anchors: Tensor
    result: Any
    private: Any = None
    frame: Tensor | None = None
    inputs: tuple[Tensor, ...] = ()
    letterbox: Letterbox | None = None
    chosen: Tensor | None = None
    refined: Refined | None = None

    @cached_property
    def peaks(self) -> tuple[Tensor, ...]:
        """The largest class logit of each cell, (h * w,) a level."""
        return tuple(map(peak, self.logits))

    def evolve(self, **changes: Any) -> "Pass":
        """A copy with changes; peaks can be given with them, and are kept where the logits stay."""
        new = object.__new__(type(self))  # as copy.copy, which is many times slower
        new.__dict__.update(self.__dict__)
        if "logits" in changes:
            new.__dict__.pop("peaks", None)
        new.__dict__.update(changes)
        return new

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Grid (rows, columns) of each level."""
        return tuple((level.shape[1], level.shape[2]) for level in self.logits)
