"""How anatomy reads a detector with a head on several levels: what all of them have in common."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import box_iou

from anatomy import BatchTargets, Candidates, Head, Level, Limits, Outputs, Pass, Targets, UnsupportedModelError

from .detector import LevelDetector
from .listening import listening
from .prediction import frames
from .selection import CLASS_SHIFT, MAX_DETECTIONS, above, check_thresholds
from .targets import LARGEST, RADIUS, claim

BRANCH = "one2many"
CLASS_PARTS = ("cls", "classify")  # of a level's head


class LevelsHead(Head):
    """The head of a ``LevelDetector``: three levels, a 1 x 1 class convolution each, ``heads[i].classify``.

    A subclass says ``raw``, ``losses`` and ``level_boxes``; and ``logits`` where more than the class rows
    decides the confidence.
    """

    net: LevelDetector
    branches = (BRANCH,)
    reg_max = 1

    def __init__(self, net: LevelDetector):
        self.net, self.names = net, net.names
        self.levels = tuple(self._level(index) for index in range(len(net.strides)))

    def _level(self, index: int) -> Level:
        return Level(
            index=index,
            name=f"P{3 + index}",
            stride=float(self.net.strides[index]),
            in_channels=self.net.level_heads[index].in_channels,
            paths={BRANCH: f"heads.{index}.classify"},
        )

    def raw(self, outputs: tuple) -> Tensor:
        """Box numbers (r, A) of a batch of one, before decoding."""
        raise NotImplementedError

    def logits(self, run: Pass) -> Tensor:
        """(A, nc) in the order of the anchors, the sigmoid of which is the confidence."""
        return torch.cat([level.flatten(1) for level in run.logits], 1).T

    def losses(self, run: Pass, wanted: list[Tensor]) -> dict[str, Tensor]:
        """What each cell adds to each part of the loss, weighted, (A,) by name."""
        raise NotImplementedError

    def class_conv(self, level: int, branch: str) -> nn.Conv2d:
        return self.net.level_heads[level].classify

    def twins(self, level: int, branch: str) -> Iterator[nn.Conv2d]:
        return iter(())

    def stacks(self, level: int, branch: str) -> dict[str, tuple[str, ...]]:
        """``cls`` and ``classify`` make classes, whatever else reads the level boxes and objectness; a stem is both."""
        parts: dict[str, list[str]] = {"class": [], "box": []}
        for name, _ in self.net.level_heads[level].named_children():
            if name != "stem":
                parts["class" if name in CLASS_PARTS else "box"].append(f"heads.{level}.{name}")
        return {kind: tuple(paths) for kind, paths in parts.items()}

    @torch.inference_mode()
    def passes(self, source, *, conf: float = 0.25, iou: float = 0.7, imgsz: int = 640) -> Iterator[Pass]:
        check_thresholds(conf, iou)
        made = frames(self.net, source, imgsz)
        while True:
            with self.undisturbed():
                frame = next(made, None)
                rows = tuple(_rows(head.classify) for head in self.net.level_heads)
            if frame is None:
                return
            run = Pass(
                path=frame.path,
                original=frame.image,
                input_shape=frame.input_shape,
                branch=BRANCH,
                frame=frame.tensor,
                inputs=tuple(level.inputs for level in frame.outputs),
                features=tuple(level.features for level in frame.outputs),
                rows=rows,
                logits=tuple(level.classes[0] for level in frame.outputs),
                box_logits=self.raw(frame.outputs),
                boxes=self.net.boxes(frame.outputs)[0].T,
                anchors=torch.empty(0, dtype=torch.int64),
                result=None,
                private=(frame, conf, iou),
            )
            yield self.finish(run)

    @torch.inference_mode()
    def finish(self, run: Pass) -> Pass:
        frame, conf, iou = run.private
        found = self.net.select(run.boxes.T[None], self.logits(run)[None], conf, iou)[0]
        return run.evolve(anchors=found.anchor, result=frame.finish(found, self.names))

    def found(self, run: Pass) -> tuple[Tensor, Tensor, Tensor]:
        return run.result.boxes, run.result.confidence, run.result.class_id

    @torch.inference_mode()
    def candidates(self, run: Pass) -> Candidates:
        _, conf, iou = run.private
        found = above(run.boxes.T, self.logits(run), conf)
        return Candidates(found.anchor, found.class_id, found.confidence, found.boxes, iou, CLASS_SHIFT, box_iou)

    def xyxy(self, run: Pass, anchors: Tensor) -> Tensor:
        return run.boxes[:, anchors].T

    def limits(self, run: Pass) -> Limits:
        return Limits(conf=run.private[1], most=MAX_DETECTIONS)

    @torch.inference_mode()
    def targets(self, run: Pass, boxes: Tensor, labels: Tensor) -> Targets:
        boxes = boxes.float().cpu()
        claims = claim(boxes, run.input_shape)
        wanted = [level[None] for level in self.net.encode(boxes, labels.cpu(), run.input_shape)]
        return Targets(
            object=claims.owner,
            score=(claims.owner >= 0).float(),
            inside=claims.inside,
            alignment=1 / (1 + claims.distance),
            overlap=box_iou(boxes, run.boxes.T.cpu()),
            picked=claims.wanted,
            losses=self.losses(run, wanted),
            settings={"radius": RADIUS, **{f"largest P{3 + i}": side for i, side in enumerate(LARGEST)}},
        )

    def listening(self, criterion: Any) -> AbstractContextManager[list[BatchTargets]]:
        """Of ``net.loss``: the criterion is the network itself."""
        if not isinstance(criterion, LevelDetector):
            raise UnsupportedModelError(
                f"{type(self.net).__name__} is trained with its own method loss, so listening takes the network, but "
                f"{type(criterion).__name__} was given."
            )
        return listening(criterion, self.grid_offset, BRANCH)

    def forward(self, images: Tensor, branch: str) -> Outputs:
        levels = self.net(images)
        return Outputs(*zip(*((level.inputs, level.classes, level.boxes) for level in levels), strict=True))

    def level_outputs(self, level: int, x: Tensor, branch: str) -> tuple[Tensor, Tensor]:
        made = self.net.level_heads[level](x)
        return made.classes, made.boxes


def _rows(conv: nn.Conv2d) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a class convolution as they are now."""
    return conv.weight.detach().clone(), None if conv.bias is None else conv.bias.detach().clone()
