"""How anatomy reads this detector; this file alone knows anatomy."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torchvision.ops import box_iou

from anatomy import Candidates, Head, Level, Limits, Outputs, Pass, Targets, UnsupportedModelError

from ..pyramid.prediction import frames, turn
from ..pyramid.selection import CLASS_SHIFT, MAX_DETECTIONS, above, check_thresholds
from ..pyramid.targets import LARGEST, RADIUS, claim
from .blocks import LevelOutput
from .checkpoint import contents, load
from .head import decode, distances
from .loss import WEIGHTS, by_cell
from .published.naive import NaiveDetector

BRANCH = "one2many"


class LevelsHead(Head):
    """The head of a ``LevelDetector``: three levels, a 1 x 1 class convolution each, ``heads[i].classify``.

    A subclass says ``raw``, ``width``, ``losses`` and ``level_boxes``; and ``logits`` where more than the class rows
    decides the confidence.
    """

    branches = (BRANCH,)
    reg_max = 1

    def __init__(self, net):
        self.net, self.names = net, net.names
        self.levels = tuple(
            Level(index, f"P{3 + index}", float(stride), self.width(head), {BRANCH: f"heads.{index}.classify"})
            for index, (stride, head) in enumerate(zip(net.strides, net.heads, strict=True))
        )

    def width(self, head: nn.Module) -> int:
        """How many channels the head of a level reads."""
        raise NotImplementedError

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
        return self.net.heads[level].classify

    def twins(self, level: int, branch: str) -> Iterator[nn.Conv2d]:
        return iter(())

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        with super().undisturbed(), turn(self.net):
            yield

    @torch.inference_mode()
    def passes(self, source, *, conf: float = 0.25, iou: float = 0.7, imgsz: int = 640) -> Iterator[Pass]:
        check_thresholds(conf, iou)
        made = frames(self.net, source, imgsz)
        while True:
            with self.undisturbed():
                frame = next(made, None)
                convs = [head.classify for head in self.net.heads]
                rows = tuple((conv.weight.detach().clone(), conv.bias.detach().clone()) for conv in convs)
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

    def forward(self, images: Tensor, branch: str) -> Outputs:
        levels = self.net(images)
        return Outputs(*zip(*((level.inputs, level.classes, level.boxes) for level in levels), strict=True))

    def level_outputs(self, level: int, x: Tensor, branch: str) -> tuple[Tensor, Tensor]:
        made = self.net.heads[level](x)
        return made.classes, made.boxes


class FastViTHead(LevelsHead):
    """Boxes from distances, objectness the largest class score."""

    def width(self, head: nn.Module) -> int:
        return head.cls.in_chs

    def raw(self, outputs: tuple) -> Tensor:
        return distances(outputs)[0]

    def losses(self, run: Pass, wanted: list[Tensor]) -> dict[str, Tensor]:
        found = by_cell(run.boxes.T[None].cpu(), self.logits(run)[None].cpu(), wanted)
        return {name: WEIGHTS[name] * part[0] for name, part in found.items()}

    def targets(self, run: Pass, boxes: Tensor, labels: Tensor) -> Targets:
        if isinstance(self.net, NaiveDetector):
            return Head.targets(self, run, boxes, labels)
        return super().targets(run, boxes, labels)

    def parts(self) -> dict[str, str]:
        return super().parts() | {"pooling": "backbone"}

    def level_boxes(self, level: int, raw: Tensor) -> Tensor:
        """As ``decode``; raises UnsupportedModelError for the published decoder, which mixes the cells."""
        if isinstance(self.net, NaiveDetector):
            raise UnsupportedModelError("The published decoder mixes the cells, so no box belongs to one of them.")
        boxes = decode([LevelOutput(raw, raw, raw)], self.net.strides[level : level + 1])
        return boxes.permute(0, 2, 1).unflatten(2, raw.shape[2:])

    def checkpoint(self, half: bool) -> dict:
        """What ``detectors.fastvit.load`` opens; in the model's own precision."""
        return contents(self.net)

    def open(self, path, *, trusted: bool = False) -> nn.Module:
        """Holds plain data and tensors alone, so ``trusted`` makes no difference."""
        return load(path)
