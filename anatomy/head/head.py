"""The one description of a detection head through which everything reads, writes and replays."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UnsupportedModelError
from .batch_targets import BatchTargets, Reads
from .batches import Batch, in_parts
from .beyond_cells import BeyondCells
from .following import Follower, Following
from .forward import Candidates, Limits, Outputs, Pass, Targets
from .letterbox import Letterbox
from .levels import Level
from .merging import merge_blocks
from .pyramid import Pyramid
from .turns import undisturbed


def children(net: nn.Module) -> dict[str, str]:
    """The parts of a network by the names that they have in it, paths and names as in ``Head.parts``."""
    return {name: name for name, _ in net.named_children()}


ClassRows = nn.Conv2d | nn.Linear  # the module whose output rows are classes


class Head(BeyondCells):
    """What a family of detectors must say about its head; one subclass a family. Of queries and text: ``BeyondCells``.

    ``net`` is the network whose weights are edited, ``names`` its classes, ``levels`` in its order, ``branches`` the
    live ones, the one that ``predict()`` uses by default first. ``anchors_per_cell`` beyond 1: anchor a of a cell is
    flat index cell * anchors_per_cell + a, and its class logits are the a-th nc channels of the level's; a tuple where
    levels differ. ``background``: the class that stands for none of the others; then probabilities are a softmax over
    all classes, it is never detected, and "all" classes leave it out. ``grid_offset``: how far right of and below
    column and row a cell's anchor point stands, in steps. ``rotated``: boxes have an angle; then ``found`` gives their
    upright hulls, and ``corners`` the boxes themselves.
    """

    net: nn.Module
    names: dict[int, str]
    levels: tuple[Level, ...]
    branches: tuple[str, ...]
    reg_max: int
    anchors_per_cell: int | tuple[int, ...] = 1
    background: int | None = None
    grid_offset: float = 0.5
    rotated: bool = False
    channels: int = 3  # of an image
    fixed_size: tuple[int, int] | None = None  # (height, width) px to which every image is scaled; None: to ``imgsz``
    second_stage: bool = False  # classes are those of pooled proposals, not of cells
    wants: tuple[str, ...] = ()  # beside boxes and labels, for all its losses: "segments" or "keypoints"
    endings: tuple[str, ...] = (".pt",)  # of the names of its files
    input_size: tuple[int, int] | None = None  # (h, w) px, where every pass has this one size
    tensor_multiple: int | None = None  # px, of which a tensor's sides are multiples; None: ``passes`` takes no tensors

    @abstractmethod
    def class_conv(self, level: int, branch: str) -> ClassRows:
        """The last class convolution of a level in ``net``: output channel c is the row of class c.

        Each anchor of a cell has nc rows of its own, or one set speaks for all. A linear layer needs ``classified``.
        UnsupportedModelError of a head with ``no_rows``.
        """

    @property
    def detectable(self) -> dict[int, str]:
        """The classes that a detection can be of: all but the background."""
        return {index: name for index, name in self.names.items() if index != self.background}

    @abstractmethod
    def twins(self, level: int, branch: str) -> Iterator[ClassRows]:
        """The same convolution in every copy of ``net`` that ``predict()`` runs in its place."""

    def settle(self) -> int:
        """Called before rows are written: let go of what ``predict()`` would run that is no copy of ``net``.

        Returns how many were let go; none, unless overridden.
        """
        return 0

    def running_convs(self, level: int, branch: str) -> Iterator[tuple[str, ClassRows]]:
        """Who runs what: in words, and the convolution whose rows must be those of ``net``; the twins by default."""
        for twin in self.twins(level, branch):
            yield "predict()", twin

    @property
    def owner(self) -> object | None:
        """The object that holds ``net`` and can be given another, such as a YOLO object; None where there is none."""
        return None

    @property
    def replaced(self) -> bool:
        """Whether the object that was described holds another network than ``net`` by now, or that another head."""
        return False

    @property
    def beside(self) -> Mapping:
        """What else the file held that ``net`` was opened from, by name; empty where that is not known."""
        return {}

    @abstractmethod
    def passes(self, source: Any, **predict_args: Any) -> Iterable[Pass]:
        """Run the family's own prediction over ``source``, one forward pass an image.

        A generator, another iterator or a list. The workbench asks for one pass after another through ``run_passes``,
        which holds the network for each.
        """

    def predict_args(self, given: Mapping) -> dict:
        """Arguments for ``passes``, checked; TypeError for one that it does not take."""
        taken = signature(self.passes).parameters
        if any(entry.kind is entry.VAR_KEYWORD for entry in taken.values()):
            return dict(given)
        known = list(taken)[1:]
        for name in given:
            if name not in known:
                kind = type(self.net).__name__
                raise TypeError(f"The prediction of {kind} has no argument {name!r}. It takes {', '.join(known)}.")
        return dict(given)

    @abstractmethod
    def finish(self, run: Pass) -> Pass:
        """The pass with its end done again from its class logits: scores, selection and result, nothing else."""

    def rerun_level(self, run: Pass, level: int, rows: tuple[Tensor, Tensor | None]) -> Tensor | None:
        """The logits (rows, h, w) of a level of this pass with other rows, where something else than torch computes
        them; None, unless overridden: torch's convolution does."""
        return None

    @abstractmethod
    def found(self, run: Pass) -> tuple[Tensor, Tensor, Tensor]:
        """Of ``result``: boxes (n, 4) xyxy px of the original (rotated ones: upright hulls), confidence, class id."""

    @abstractmethod
    def candidates(self, run: Pass) -> Candidates | None:
        """What stood for NMS in this pass, or None where the head selects without NMS."""

    @abstractmethod
    def xyxy(self, run: Pass, anchors: Tensor) -> Tensor:
        """Boxes of these anchors as (n, 4) xyxy in px of the network input, before any clipping."""

    def class_xyxy(self, run: Pass, anchors: Tensor, class_id: Tensor) -> Tensor:
        """As ``xyxy``, of anchors as detections of these classes (n,); they differ where a second stage moves boxes."""
        boxes = self.xyxy(run, anchors)
        if run.refined is None or not len(run.refined.anchor):
            return boxes
        row = run.refined.rows(anchors)
        return torch.where(row[:, None] >= 0, run.refined.boxes[row, class_id], boxes)

    def probabilities(self, logits: Tensor, dim: int = 0) -> Tensor:
        """Class probabilities of class logits whose dimension ``dim`` runs over the classes: the sigmoid of each, or
        their softmax where there is a ``background``."""
        return logits.sigmoid() if self.background is None else logits.softmax(dim)

    def objectness(self, run: Pass) -> tuple[Tensor, ...]:
        """How sure each cell is of any object, (h, w) a level in [0, 1]: the largest class score, unless overridden."""
        if self.background is not None:
            levels = [level.unflatten(0, (-1, len(self.names))) for level in run.logits]
            chosen = list(self.detectable)
            return tuple(self.probabilities(level, dim=1)[:, chosen].amax((0, 1)) for level in levels)
        return tuple(level.sigmoid().view(shape) for level, shape in zip(run.peaks, run.shapes, strict=True))

    def scores(self, run: Pass) -> Tensor:
        """What the selection holds against its threshold, (nc, anchors) float64 in [0, 1]: the class probability, 0 for
        the background."""
        scores = self.probabilities(self.pyramid(run).flatten([level.double() for level in run.logits]))
        if self.background is not None:
            scores[self.background] = 0
        return scores

    def corners(self, run: Pass) -> Tensor:
        """Of ``result``: the corners (n, 4, 2) xy px of the original, from the upright boxes unless overridden."""
        return self.found(run)[0][:, [0, 1, 2, 1, 2, 3, 0, 3]].unflatten(1, (4, 2))

    def letterbox(self, run: Pass) -> Letterbox:
        """How the original lies in the network input: centred, unless overridden."""
        return run.letterbox or Letterbox.fit(run.original.shape[:2], run.input_shape)

    def steps(self, run: Pass) -> tuple[tuple[float, float], ...]:
        """From one anchor point to the next, (x, y) px of the network input a level: the stride, unless overridden."""
        return tuple((level.stride, level.stride) for level in self.levels)

    def pyramid(self, run: Pass) -> Pyramid:
        """Where the anchors of this pass lie and how they are numbered."""
        return Pyramid(
            shapes=run.shapes, steps=self.steps(run), offset=self.grid_offset, anchors_per_cell=self.anchors_per_cell
        )

    def batches(self, sizes: Sequence[tuple[int, int]], imgsz: int, size: int) -> list[Batch]:
        """How validation cuts images of these (height, width) px into batches of ``size``: in their order, unless
        overridden."""
        return [Batch(indices=part, input_shape=None) for part in in_parts(range(len(sizes)), size)]

    def batch_passes(
        self, images: Sequence[np.ndarray], batch: Batch, *, imgsz: int, **predict_args: Any
    ) -> Iterator[Pass]:
        """The passes of images (H, W, 3) uint8 BGR, put into the input as validation does; one by one, as ``passes``
        does, unless overridden."""
        for image in images:
            yield from self.passes(image, imgsz=imgsz, **predict_args)

    def evaluated(self, run: Pass) -> tuple[Tensor, Tensor] | None:
        """What validation selects from: boxes (A, 4) xyxy px of the input and scores (nc, A), float32.

        None, unless overridden: validation takes what ``predict()`` selects at a low confidence.
        """
        return None

    def limits(self, run: Pass) -> Limits:
        """What this pass was asked for; a head that does not say leaves it open."""
        return Limits()

    def targets(self, run: Pass, boxes: Tensor, labels: Tensor, **more: Any) -> Targets:
        """What training makes of this pass: ``boxes`` (n, 4) xyxy px of the network input, ``labels`` (n,) int64.

        Of rotated boxes the corners, (n, 4, 2) xy px. ``branch`` is given where it is not that of the pass; and what
        the head ``wants`` of objects where it is known: ``segments``, of each object its polygons (k, 2) xy px of the
        input; ``keypoints`` (n, K, 2 or 3), px and whether they are seen.
        """
        raise UnsupportedModelError(
            f"{type(self.net).__name__} does not say how it is trained, so nothing can be assigned. Give its head a "
            "method targets(run, boxes, labels) that returns anatomy.Targets."
        )

    def listening(self, criterion: Any) -> AbstractContextManager[list[BatchTargets]]:
        """A block within which calls of the trainer's own ``criterion`` are noted, while it computes what it would
        without; at the end of the block the list holds what became of every batch, branch by branch, in order.

        Nothing stays on the criterion, however the block ends; where an exception ends it, the list stays empty. The
        end may stand after the trainer's backward, and waits for the device. Raises UnsupportedModelError for what this
        family is not trained with.
        """
        raise UnsupportedModelError(
            f"{type(self.net).__name__} does not say how its training can be listened to. Give its head a method "
            "listening(criterion), a context manager whose list is filled with anatomy.BatchTargets."
        )

    @contextmanager
    def noting(self, criterion: Any, take: Callable[[Reads], Any]) -> Iterator[None]:
        """As ``listening``, for who wants to read later: ``take`` is called for each batch with functions, one a branch
        in order, that read what became of it, in any thread, and wait for the device.

        Unless overridden, all of the block is one batch, of which is told at its end.
        """
        with self.listening(criterion) as told:
            yield
        take([partial(told.__getitem__, branch) for branch in range(len(told))])

    @property
    def running(self) -> nn.Module:
        """The network that ``predict()`` runs: ``net``, or the copy that was made of it."""
        return self.net

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Within the block no other thread runs a pass over this network, edits it or replays its rows; they wait.

        The thread that holds it may do all of that, and may hold it again. A family whose own prediction can run beside
        the workbench holds that off as well.
        """
        with undisturbed(self.net):
            yield

    def parts(self) -> dict[str, str]:
        """Paths in ``net`` and the part of the detector below each; where several fit, the longest path counts.

        Unless overridden: what tells the class convolutions of two levels apart is "head P3" and so on, what they share
        is "head", and all else goes by the name it has in ``net``.
        """
        parts = children(self.net)
        for branch in self.branches:
            paths = [level.paths[branch].split(".") for level in self.levels]
            parts[paths[0][0]] = "head"
            apart = next((i for i, names in enumerate(zip(*paths, strict=False)) if len({*names}) == len(paths)), None)
            if apart is not None:
                for path, level in zip(paths, self.levels, strict=True):
                    parts[".".join(path[: apart + 1])] = f"head {level.name}"
        return parts

    def stacks(self, level: int, branch: str) -> dict[str, tuple[str, ...]]:
        """Paths in ``net`` of what a level has in a branch for "class" logits alone, and for "box" outputs alone.

        Unless overridden: the last class convolution, and nothing that is known to be for boxes.
        """
        return {"class": (self.levels[level].paths[branch],), "box": ()}

    def follow(self, follower: Follower) -> Following | None:
        """Tie a follower to the next training by the family's own trainer; None, unless overridden: it has none."""
        return None

    def criterion(self) -> Any:
        """What ``listening`` takes in a training of ``net``; the network itself, unless overridden."""
        return self.net

    def trainable(self, net: nn.Module, settings: Mapping[str, Any]) -> Callable[..., Tensor]:
        """Ready a copy of the network, called with a batch, for the family's own loss; returns what makes it a scalar.

        ``settings``: what the training was started with.
        """
        raise UnsupportedModelError(f"{type(net).__name__} has no trainer of its own. Give the loss as loss=.")

    @staticmethod
    def network(model: Any) -> Any:
        """The plain network that a model object of this family holds; the model is one itself unless overridden."""
        return model

    @staticmethod
    def fuse(net: nn.Module) -> nn.Module:
        """Merge a network, or a block of one, for inference in place; by its blocks' own methods unless overridden."""
        return merge_blocks(net)

    @staticmethod
    def call(net: nn.Module, images: Tensor) -> Any:
        """What prediction computes in ``net``, or in a copy of it, for a batch (B, 3, H, W), up to the selection."""
        return net(images)

    def network_input(self, run: Pass) -> Tensor:
        """What the network read in a pass, (1, c, H, W); UnsupportedModelError where the family does not keep it."""
        if run.frame is None:
            raise self._closed("forward(images, branch), and let its passes fill Pass.frame")
        return run.frame

    def forward(self, images: Tensor, branch: str) -> Outputs:
        """``running`` on a batch (B, 3, H, W) of network inputs, as prediction prepares them; differentiable."""
        raise self._closed("forward(images, branch)")

    def level_outputs(self, level: int, x: Tensor, branch: str) -> tuple[Tensor, Tensor]:
        """The head of one level alone on its feature map (B, c, h, w): class logits (B, nc, h, w) and raw box outputs
        (B, r, h, w); differentiable, equal to what ``running`` makes of the same map."""
        raise self._closed("level_outputs(level, x, branch)")

    def level_boxes(self, level: int, raw: Tensor) -> Tensor:
        """Raw box outputs (B, r, h, w) of a level as boxes (B, 4, h, w) xyxy px of the input; differentiable."""
        raise self._closed("level_boxes(level, raw)")

    def _closed(self, method: str) -> UnsupportedModelError:
        return UnsupportedModelError(
            f"The description of {type(self.net).__name__} does not say how to run its network step by step, which "
            f"attribution and receptive fields need. Give its head a method {method}; see anatomy.Head."
        )

    def checkpoint(self, half: bool) -> dict:
        """What the family's own loader opens, as a dict for ``torch.save``; refused where a family has no such file."""
        raise UnsupportedModelError(
            f"{type(self.net).__name__} has no checkpoint format of its own. Save its state_dict() with torch.save, "
            "and the edits with surgery.write_recipe."
        )

    def writer(self, path: Path, half: bool, beside: Mapping[str, Any]) -> Callable[[BinaryIO], object]:
        """What writes the model, and ``beside`` with it, to a file that is to stand at ``path``; all that can be
        refused is refused before. Unless overridden ``torch.save`` of ``checkpoint(half)``."""
        return partial(torch.save, {**self.checkpoint(half), **beside})

    def open(self, path: str | PathLike, *, trusted: bool = False) -> Any:
        """The detector of a file in this family's own format; refused where a family has none.

        ``trusted`` lets the file run any code of its author, where the format can hold code.
        """
        raise UnsupportedModelError(
            f"{type(self.net).__name__} has no checkpoint format of its own, so {str(path)!r} cannot be opened as one. "
            "Build the detector, give it the file's state_dict, and compare the two."
        )

    def sharing(self, level: int, branch: str) -> tuple[int, ...]:
        """The levels that use the same class convolution weights as this one, itself included."""
        mine = self.class_conv(level, branch).weight
        return tuple(entry.index for entry in self.levels if self.class_conv(entry.index, branch).weight is mine)
