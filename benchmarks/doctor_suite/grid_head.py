"""How the suite's small detectors describe their heads."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from anatomy import Head, Level, Outputs, Pass

if TYPE_CHECKING:
    from .grids import Watcher


class WatcherHead(Head):
    branches = ("only",)

    def __init__(self, net: "Watcher"):
        self.net, self.names = net, net.names
        self.reg_max, self.anchors_per_cell, self.grid_offset = net.bins, net.anchors, net.offset
        self.levels = tuple(
            Level(index, f"P{int(np.log2(stride))}", float(stride), 12, {"only": f"cls.{index}"})
            for index, stride in enumerate(net.declared_strides())
        )

    def class_conv(self, level, branch):
        return self.net.cls[level]

    def twins(self, level, branch):
        return iter(())

    def passes(self, source, conf=0.25, iou=0.7, imgsz=640):
        images = source if isinstance(source, list) else [source]
        return map(partial(self._pass, conf=conf), images)

    @torch.inference_mode()
    def _pass(self, image: np.ndarray, conf: float) -> Pass:
        frame = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
        maps, logits, raw = self.net(frame)
        flat = [self._flat(level[0]) for level in raw]
        shapes = [tuple(level.shape[2:]) for level in raw]
        boxes = [self.net.decode(i, part, shape) for i, (part, shape) in enumerate(zip(flat, shapes, strict=True))]
        run = Pass(
            path="array",
            original=image,
            input_shape=tuple(frame.shape[2:]),
            branch="only",
            features=tuple(maps),
            rows=tuple((conv.weight.clone(), conv.bias.clone()) for conv in self.net.cls),
            logits=tuple(level[0] for level in logits),
            box_logits=torch.cat(flat, 1),
            boxes=torch.cat(boxes, 1),
            anchors=torch.empty(0, dtype=torch.int64),
            result=None,
            private=conf,
            frame=frame,
            inputs=tuple(maps),
        )
        return self.finish(run)

    def _flat(self, part: Tensor) -> Tensor:
        """(A * c, h, w) as (c, h * w * A): the anchors of a cell stand together."""
        return part.unflatten(0, (self.anchors_per_cell, -1)).permute(1, 2, 3, 0).flatten(1)

    @torch.inference_mode()
    def finish(self, run: Pass) -> Pass:
        confidence, class_id = torch.cat([self._flat(level) for level in run.logits], 1).sigmoid().max(0)
        anchors = (confidence > run.private).nonzero().view(-1)
        anchors = anchors[confidence[anchors].argsort(descending=True, stable=True)][:300]
        return run.evolve(anchors=anchors, result=(self.xyxy(run, anchors), confidence[anchors], class_id[anchors]))

    def found(self, run):
        return run.result

    def candidates(self, run):
        return None

    def xyxy(self, run, anchors):
        return run.boxes[:, anchors].T

    def forward(self, images, branch):
        maps, logits, raw = self.net(images)
        count = (self.anchors_per_cell, -1)
        return Outputs(tuple(maps), tuple(level.unflatten(1, count).amax(1) for level in logits), tuple(raw))

    def level_outputs(self, level: int, x: Tensor, branch: str) -> Any:
        logits = self.net.classes_out(level, self.net.cls[level](x)).unflatten(1, (self.anchors_per_cell, -1))
        return logits.amax(1), self.net.boxes_out(level, self.net.box[level](x))
