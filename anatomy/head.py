"""The one description of a detection head through which everything reads, writes and replays."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor, nn

from .errors import UnsupportedModelError
from .levels import Level


@dataclass(frozen=True)
class Candidates:
    """The anchors that stood for selection, in the order in which non-maximum suppression (NMS) saw them.

    ``anchor`` and ``class_id`` (m,) int64, ``confidence`` (m,) in [0, 1], ``boxes`` (m, 4) xyxy or (m, 5) xywhr, px of
    the network input, without gradient. ``shift`` (px) is added per class id so that classes do not meet, as the source
    does it. ``pairwise_iou`` takes two such box sets. ``chained``: a box that was itself removed still removes others
    (Fast NMS, https://arxiv.org/abs/1904.02689); otherwise NMS is greedy.
    """

    anchor: Tensor
    class_id: Tensor
    confidence: Tensor
    boxes: Tensor
    iou_threshold: float
    shift: float
    pairwise_iou: Callable[[Tensor, Tensor], Tensor]
    chained: bool = False


@dataclass(frozen=True)
class Limits:
    """What the selection of a pass was asked for; None where the head does not say.

    ``conf`` the least confidence, ``classes`` the ids allowed (None: all), ``most`` the largest number of detections.
    """

    conf: float | None = None
    classes: tuple[int, ...] | None = None
    most: int | None = None


@dataclass(frozen=True)
class Targets:
    """What the family's own training makes of one pass and n labelled objects; A anchors, no gradient.

    ``object`` (A,) int64: the object whose positive a cell is, -1 for background; ``score`` (A,) what its class row is
    trained towards, in [0, 1]. Of every object with every cell, (n, A): ``inside``, may this cell be chosen at all;
    ``alignment`` the measure that ranks cells; ``overlap`` its IoU part; ``picked``, among the best before cells
    wanted by several objects were settled. ``losses``: (A,) each by name, with the family's gains; their sums are its
    loss items. ``settings``: the assigner's own, by name.
    """

    object: Tensor
    score: Tensor
    inside: Tensor
    alignment: Tensor
    overlap: Tensor
    picked: Tensor
    losses: Mapping[str, Tensor]
    settings: Mapping[str, float]


def peak(logits: Tensor) -> Tensor:
    """The largest class logit of each cell, (nc, h, w) -> (h * w,)."""
    return logits.flatten(1).amax(0)


@dataclass(frozen=True)
class Pass:
    """What one forward pass of one image left behind. Tensors stay on the model's device and carry no gradient.

    ``features`` are the inputs of the class convolutions, (1, c, h, w) a level; ``rows`` their (weight, bias) as they
    were; ``logits`` (nc, h, w) a level before the sigmoid; ``box_logits`` (4 * reg_max, A); ``boxes`` (4, A) decoded,
    in px of the network input, in the head's own form; ``anchors`` (n,) the flat index that made each detection of
    ``result``, in its order; ``result`` the family's own result object. ``private`` belongs to the family alone.
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

    @cached_property
    def peaks(self) -> tuple[Tensor, ...]:
        """The largest class logit of each cell, (h * w,) a level."""
        return tuple(map(peak, self.logits))

    def evolve(self, **changes) -> "Pass":
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
        return tuple(tuple(level.shape[1:]) for level in self.logits)


class Head(ABC):
    """What a family of detectors must say about its head; one subclass a family.

    ``net`` is the network whose weights are edited, ``names`` its classes, ``levels`` finest first, ``branches`` the
    live ones, the one that ``predict()`` uses by default first.
    """

    net: nn.Module
    names: dict[int, str]
    levels: tuple[Level, ...]
    branches: tuple[str, ...]
    reg_max: int

    @abstractmethod
    def class_conv(self, level: int, branch: str) -> nn.Conv2d:
        """The last class convolution of a level in ``net``: output channel c is the row of class c."""

    @abstractmethod
    def twins(self, level: int, branch: str) -> Iterator[nn.Conv2d]:
        """The same convolution in every copy of ``net`` that ``predict()`` runs in its place."""

    @abstractmethod
    def passes(self, source, **predict_args) -> Iterator[Pass]:
        """Run the family's own prediction over ``source``, one forward pass an image."""

    @abstractmethod
    def finish(self, run: Pass) -> Pass:
        """The pass with its end done again from its class logits: scores, selection and result, nothing else."""

    @abstractmethod
    def found(self, run: Pass) -> tuple[Tensor, Tensor, Tensor]:
        """Of ``result``: boxes (n, 4) xyxy px of the original (rotated ones: upright hulls), confidence, class id."""

    @abstractmethod
    def candidates(self, run: Pass) -> Candidates | None:
        """What stood for NMS in this pass, or None where the head selects without NMS."""

    @abstractmethod
    def xyxy(self, run: Pass, anchors: Tensor) -> Tensor:
        """Boxes of these anchors as (n, 4) xyxy in px of the network input, before any clipping."""

    def objectness(self, run: Pass) -> tuple[Tensor, ...]:
        """How sure each cell is of any object, (h, w) a level in [0, 1]: the largest class score, unless overridden."""
        return tuple(level.sigmoid().view(shape) for level, shape in zip(run.peaks, run.shapes, strict=True))

    def limits(self, run: Pass) -> Limits:
        """What this pass was asked for; a head that does not say leaves it open."""
        return Limits()

    def targets(self, run: Pass, boxes: Tensor, labels: Tensor) -> Targets:
        """What training makes of this pass: ``boxes`` (n, 4) xyxy px of the network input, ``labels`` (n,) int64."""
        raise UnsupportedModelError(
            f"{type(self.net).__name__} does not say how it is trained, so nothing can be assigned. Give its head a "
            "method targets(run, boxes, labels) that returns anatomy.Targets."
        )

    def checkpoint(self, half: bool) -> dict:
        """What the family's own loader opens, as a dict for ``torch.save``; refused where a family has no such file."""
        raise UnsupportedModelError(
            f"{type(self.net).__name__} has no checkpoint format of its own. Save its state_dict() with torch.save, "
            "and the edits with surgery.write_recipe."
        )

    def sharing(self, level: int, branch: str) -> tuple[int, ...]:
        """The levels that use the same class convolution weights as this one, itself included."""
        mine = self.class_conv(level, branch).weight
        return tuple(entry.index for entry in self.levels if self.class_conv(entry.index, branch).weight is mine)


def open_checkpoint(path, *, trusted: bool = False):
    """A YOLO object from a ``.pt`` file, read with the restricted unpickler first unless ``trusted``.

    Raises CheckpointError, naming what the file asks for, when that is more than model classes.
    """
    from . import ultralytics_head

    return ultralytics_head.open_checkpoint(path, trusted=trusted)


def describe(model) -> Head:
    """The description of a model's head.

    ``model`` is a YOLO object, its ``.model``, or any detector whose ``describe_head()`` returns a ``Head``.
    Raises UnsupportedModelError, with the reason and what works, for a model without per-level class rows.
    """
    if callable(getattr(type(model), "describe_head", None)):
        return model.describe_head()
    if any(kind.__module__.startswith("ultralytics.") for kind in type(model).__mro__):
        from .ultralytics_head import UltralyticsHead

        return UltralyticsHead(model)
    raise UnsupportedModelError(
        f"{type(model).__name__} is no detector that the workbench knows: it takes an Ultralytics YOLO object, its "
        "`.model`, or a detector with a `describe_head()` method. Consider `YOLO('yolov8n.pt')`."
    )
